// Elements of JSON tensors: nested or flat arrays into typed bytes. For the codecs alone.
#pragma once

#include <simdjson.h>

#include <string>
#include <vector>

#include "inference/engine.h"

namespace holdfast::inference {

// One parsed document; its elements live as long as it does, and until the thread parses another.
// Small documents share the thread's memory, which stays for the next; that of a large one is given
// back.
class JsonDocument {
 public:
  // invalid_argument: what of the text is not JSON.
  Result<simdjson::dom::element> parse(std::string_view text);

 private:
  simdjson::dom::parser once_;
};

struct Nesting {
  std::vector<int64_t> lengths;  // of each level of arrays, the outermost first; empty: no array
  uint64_t leaves = 0;
};
// invalid_argument, saying why: deeper than 16 levels, or arrays of one level that differ in
// length.
Result<Nesting> measure(const simdjson::dom::element& element);

// Writes all leaves as `type` from `at` on, which has room for as many as measure() found; false
// where one does not fit the type. Not for FP16 and BYTES.
bool store_all(Datatype type, const simdjson::dom::element& data, std::byte* at);

// Appends all leaves, which must be texts, of what measure() has passed.
bool collect_texts(const simdjson::dom::element& element, std::vector<std::string>& texts);

}  // namespace holdfast::inference
