// Batches of tensors as files: `<name>.npy` (NPY 1.0, first axis = rows) and the manifest
// `<name>.json`.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "transform/tensor.h"

namespace holdfast::transform {

struct BatchRow {
  std::string event, file,
      sha256;  // the file event's id; the path in its share; of the file's bytes
  uint32_t width = 0, height = 0;
  Bytes data;  // this row's tensor
};

struct Batch {
  std::string transform;
  uint64_t sequence = 0;
  std::string recipe_sha256;
  Type type = Type::float32;
  std::vector<int64_t> row_shape;
  WallTime created{};
  std::vector<BatchRow> rows;
};

std::string batch_name(const Batch& batch);      // "<transform>-<sequence, 8 digits>"
std::string batch_manifest(const Batch& batch);  // JSON text

// Writes both files into `folder`, durably, the manifest last: a manifest names a complete batch. A
// file that already has the same bytes is left as it is, so that doing it again changes nothing.
// Blocking. invalid_argument: no rows, or rows of unequal length; as errno_error() maps the rest.
Result<void> write_batch(const std::filesystem::path& folder, const Batch& batch);

}  // namespace holdfast::transform
