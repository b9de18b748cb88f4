// Requests to measure a model with: given as files, or made from the shapes of its inputs.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "inference/batch.h"

namespace holdfast::inference {

using Sample = std::vector<Tensor>;  // one request; in the order of the signature

struct SampleOptions {
  std::string path;  // one .npz (arrays named as the inputs), or a folder of them; empty: made
  uint64_t seed = 1;
  size_t count = 4;                                    // of made ones
  std::map<std::string, std::vector<int64_t>> shapes;  // of made ones, where sizes are free
};
// At least one. not_found: no such file; invalid_argument: it does not fit the signature, with the
// input's name.
Result<std::vector<Sample>> samples_for(const Signature& signature, const SampleOptions& options);

}  // namespace holdfast::inference
