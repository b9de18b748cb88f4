// Arrays as numpy.savez, savez_compressed and save write them.
#pragma once

#include <string>
#include <vector>

#include "inference/engine.h"

namespace holdfast::inference {

// Every array of the file, by its name without ".npy". C order, little endian, up to 1 GiB in all.
// invalid_argument: not such a file, with what is wrong; unsupported: another order or kind.
Result<std::vector<Tensor>> read_npz(const std::string& path);
// The one array of a .npy file; it has no name. The same errors.
Result<Tensor> read_npy(const std::string& path);

}  // namespace holdfast::inference
