#include "transform/batch.h"

#include <boost/json.hpp>

#include "base/files.h"

namespace holdfast::transform {
namespace {

Result<void> write_once(const std::filesystem::path& path, ByteView bytes) {
  const Result<std::string> there = read_file(path, bytes.size());
  if (there && *there == as_text(bytes)) return {};
  return replace_file(path, bytes);
}

std::vector<int64_t> whole_shape(const Batch& batch) {
  std::vector<int64_t> shape{static_cast<int64_t>(batch.rows.size())};
  shape.insert(shape.end(), batch.row_shape.begin(), batch.row_shape.end());
  return shape;
}

}  // namespace

std::string batch_name(const Batch& batch) {
  std::string digits = std::to_string(batch.sequence);
  if (digits.size() < 8) digits.insert(0, 8 - digits.size(), '0');
  return batch.transform + "-" + digits;
}

std::string batch_manifest(const Batch& batch) {
  boost::json::object out{{"transform", batch.transform},
                          {"recipe_sha256", batch.recipe_sha256},
                          {"dtype", to_string(batch.type)},
                          {"shape", boost::json::value_from(whole_shape(batch))},
                          {"created", format_rfc3339(batch.created)}};
  boost::json::array rows;
  for (const BatchRow& row : batch.rows) {
    rows.push_back({{"row", rows.size()},
                    {"event", row.event},
                    {"file", row.file},
                    {"sha256", row.sha256},
                    {"width", row.width},
                    {"height", row.height}});
  }
  out["rows"] = std::move(rows);
  return boost::json::serialize(out) + "\n";
}

Result<void> write_batch(const std::filesystem::path& folder, const Batch& batch) {
  if (batch.rows.empty()) return fail(Code::invalid_argument, "a batch without rows");
  TRY(const uint64_t count, count_of(batch.row_shape));
  const uint64_t row_bytes = count * size_of(batch.type);
  std::string npy = npy_header(batch.type, whole_shape(batch));
  npy.reserve(npy.size() + row_bytes * batch.rows.size());
  for (const BatchRow& row : batch.rows) {
    if (row.data.size() != row_bytes)
      return fail(Code::invalid_argument,
                  "a row of the batch is " + std::to_string(row.data.size()) +
                      " bytes, its shape asks for " + std::to_string(row_bytes));
    npy += as_text(row.data);
  }
  TRY_VOID(write_once(folder / (batch_name(batch) + ".npy"), as_bytes(npy)));
  return write_once(folder / (batch_name(batch) + ".json"), as_bytes(batch_manifest(batch)));
}

}  // namespace holdfast::transform
