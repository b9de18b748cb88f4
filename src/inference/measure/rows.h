// The rows of files, in requests that a model takes.
#pragma once

#include <functional>
#include <string>

#include "inference/batch.h"

namespace holdfast::inference {

struct RowsRead {
  uint64_t files = 0, skipped = 0;  // skipped: captured lines whose tensors are only summarised
};

// Calls `use` with the files' rows, in order, at most 64 in a request (as many as the model's first
// size is where that is fixed). `path` is a file, or a folder of such:
//   .npz     an array for each input, by its name; the first size counts rows
//   .npy     the same, for a model of one input
//   .jsonl   lines that are requests of the Open Inference Protocol, or what capture.h writes
// One file is in memory at a time, of up to 1 GiB. `progress` gets 0 to 1.
// not_found: no such file; invalid_argument: it does not fit the signature, with file and line, or
// the input's name; what `use` fails with.
Result<RowsRead> each_request(const Signature& signature, const std::string& path,
                              const std::function<Result<void>(const Inputs&)>& use,
                              const std::function<void(double)>& progress);

}  // namespace holdfast::inference
