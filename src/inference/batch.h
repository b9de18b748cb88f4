// Several requests as one, and its answer taken apart again. Plain functions.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "inference/engine.h"

namespace holdfast::inference {

using Inputs = std::vector<TensorView>;
using Outputs = std::vector<Tensor>;

// Whether the signature allows it: the first size of every input and output is free.
bool can_merge(const Signature& signature);
// The rows that all inputs have; 0: they differ, or there are none, so that the request is to be
// run alone.
uint64_t rows_of(const Inputs& inputs);
// Inputs that differ in their number of rows at most.
bool same_kind(const Inputs& one, const Inputs& other);
uint64_t bytes_of(const Inputs& inputs);
// Into the tensors, which must outlive them.
Inputs views_of(const std::vector<Tensor>& tensors);

struct Merged {
  Inputs inputs;  // views into `owned` and, texts, into the requests
  std::vector<Bytes> owned;
};
// The rows of all, in order. Requests of one kind, at least one; they must outlive the result.
Merged merge_rows(std::span<const Inputs* const> requests);
// To each its rows, in order. internal: an output does not have as many rows as went in, so that
// nobody can tell whose they are.
Result<std::vector<Outputs>> split_rows(const Outputs& outputs, std::span<const uint64_t> rows);
// Whether the answers are the same but for the rounding that another order of sums brings.
bool agree(const Outputs& one, const Outputs& other);

}  // namespace holdfast::inference
