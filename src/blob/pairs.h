// Pairs of texts as a column of JSON holds them. For blob/*.cc alone; pure functions, any thread.
#pragma once

#include "blob/types.h"

namespace holdfast::blob {

// An object whose values are texts.
std::string pairs_to_json(const Pairs& pairs);
// None where `json` is no object.
Pairs pairs_from_json(std::string_view json);
// The same; the texts that `pairs` has lend their memory.
void read_pairs(std::string_view json, Pairs& pairs);

}  // namespace holdfast::blob
