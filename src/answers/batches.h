// The plan of tensor batches in the edge's database: rows wait with their bytes until a batch takes
// them.
//
// Row, event's mark and batch membership are changed inside database transactions; files are
// written from the plan alone, so that a kill at any point ends in the same files. Plain functions
// inside a transaction.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "store/database/database.h"
#include "transform/batch.h"

namespace holdfast::answers {

// The tables (component "answers").
Result<void> migrate_batches(store::Database& database);

struct NewRow {
  std::string transform, recipe_sha256;
  transform::Type type = transform::Type::float32;
  std::vector<int64_t> shape;
  transform::BatchRow row;
};

// A row of an event that is already there is left as it is.
Result<void> add_row(store::Tx& tx, const NewRow& row, WallTime now);

struct BatchLimits {
  size_t rows = 256;
  std::chrono::milliseconds after{10000};  // since the oldest waiting row
  uint64_t bytes = 32 << 20;               // of tensor data; at least one row
};
// Takes the oldest waiting rows of one recipe, type and shape into the next batch, where there are
// enough of them or the oldest has waited long enough. Its sequence, or nullopt where nothing is
// due.
Result<std::optional<uint64_t>> plan_batch(store::Tx& tx, std::string_view transform,
                                           const BatchLimits& limits, WallTime now);
// The oldest batch that is planned and not finished.
Result<std::optional<transform::Batch>> next_batch(store::Tx& tx, std::string_view transform);
// Its files are on disk: forgets the rows' bytes. The events of the last 1,000 rows stay known, far
// more than are ever on their way between add_row() and their mark as done, so that a kill between
// the two adds no row twice. Repeatable.
Result<void> finish_batch(store::Tx& tx, std::string_view transform, uint64_t sequence);

struct Waiting {
  size_t rows = 0;  // that no batch has taken
  WallTime oldest{};
};
Result<Waiting> count_waiting(store::Tx& tx, std::string_view transform);

struct BatchCounts {
  uint64_t waiting = 0;  // rows without a finished batch
  uint64_t batches = 0;  // finished
  uint64_t rows = 0;     // in finished batches
};
Result<BatchCounts> count_batches(store::Tx& tx, std::string_view transform);

}  // namespace holdfast::answers
