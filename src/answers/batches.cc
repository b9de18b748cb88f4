#include "answers/batches.h"

#include "answers/batches_sql.h"

namespace holdfast::answers {
namespace {

using store::Row;
using store::Tx;

int64_t nanos(WallTime time) {
  return time.time_since_epoch().count();
}

// "float32 8,8 <sha256>"
std::string kind_of(const NewRow& row) {
  std::string kind(transform::to_string(row.type));
  kind += ' ';
  for (const int64_t side : row.shape) kind += std::to_string(side) + ",";
  return kind + " " + row.recipe_sha256;
}

Result<void> read_kind(std::string_view kind, transform::Batch& batch) {
  const std::vector<std::string_view> parts = split(kind, ' ');
  if (parts.size() != 3) return fail(Code::internal, "a waiting row has a broken kind");
  for (const transform::Type type :
       {transform::Type::uint8, transform::Type::float32, transform::Type::float64})
    if (transform::to_string(type) == parts[0]) batch.type = type;
  for (const std::string_view side : split(parts[1], ','))
    if (const auto number = parse_u64(side))
      batch.row_shape.push_back(static_cast<int64_t>(*number));
  batch.recipe_sha256 = parts[2];
  return {};
}

}  // namespace

Result<void> migrate_batches(store::Database& database) {
  const store::Migration migrations[] = {{1, k_batches_sql}};
  return database.migrate("answers", migrations);
}

Result<void> add_row(Tx& tx, const NewRow& row, WallTime now) {
  const std::string kind = kind_of(row);
  TRY_VOID(tx.run(
      "INSERT OR IGNORE INTO transform_row (transform, event, file, sha256, width, height, kind, "
      "added, "
      "data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {row.transform, row.row.event, row.row.file, row.row.sha256, int64_t{row.row.width},
       int64_t{row.row.height}, std::string_view(kind), nanos(now), ByteView(row.row.data)}));
  return {};
}

Result<std::optional<uint64_t>> plan_batch(Tx& tx, std::string_view transform,
                                           const BatchLimits& limits, WallTime now) {
  std::string kind;
  int64_t oldest = 0, count = 0, bytes = 0, last = 0;
  bool full = false;
  TRY_VOID(
      tx.each("SELECT number, kind, added, length(data) FROM transform_row WHERE transform = ? AND "
              "sequence IS "
              "NULL ORDER BY number LIMIT ?",
              {transform, static_cast<int64_t>(limits.rows + 1)}, [&](const Row& row) {
                if (count == 0) {
                  kind = row.text(1);
                  oldest = row.integer(2);
                }
                const bool fits = static_cast<uint64_t>(bytes + row.integer(3)) <= limits.bytes;
                full = count > 0 && (row.text(1) != kind || !fits);
                if (full) return false;
                last = row.integer(0);
                bytes += row.integer(3);
                full = static_cast<size_t>(++count) >= limits.rows;
                return !full;
              }));
  if (count == 0) return std::nullopt;
  if (!full && nanos(now) - oldest < std::chrono::nanoseconds(limits.after).count())
    return std::nullopt;
  int64_t sequence = 1;
  TRY_VOID(tx.each("SELECT coalesce(max(sequence), 0) + 1 FROM transform_batch WHERE transform = ?",
                   {transform}, [&](const Row& row) {
                     sequence = row.integer(0);
                     return false;
                   }));
  TRY_VOID(
      tx.run("INSERT INTO transform_batch (transform, sequence, created, rows) VALUES (?, ?, ?, ?)",
             {transform, sequence, nanos(now), count}));
  TRY_VOID(
      tx.run("UPDATE transform_row SET sequence = ? WHERE transform = ? AND sequence IS NULL AND "
             "number <= ?",
             {sequence, transform, last}));
  return static_cast<uint64_t>(sequence);
}

Result<std::optional<transform::Batch>> next_batch(Tx& tx, std::string_view transform) {
  std::optional<transform::Batch> batch;
  TRY_VOID(tx.each(
      "SELECT sequence, created FROM transform_batch WHERE transform = ? AND finished = 0 ORDER BY "
      "sequence LIMIT 1",
      {transform}, [&](const Row& row) {
        batch.emplace();
        batch->sequence = static_cast<uint64_t>(row.integer(0));
        batch->created = WallTime(std::chrono::nanoseconds(row.integer(1)));
        return false;
      }));
  if (!batch) return batch;
  batch->transform = transform;
  std::string kind;
  TRY_VOID(
      tx.each("SELECT event, file, sha256, width, height, kind, data FROM transform_row WHERE "
              "transform = ? AND "
              "sequence = ? ORDER BY number",
              {transform, static_cast<int64_t>(batch->sequence)}, [&](const Row& row) {
                transform::BatchRow& added = batch->rows.emplace_back();
                added.event = row.text(0);
                added.file = row.text(1);
                added.sha256 = row.text(2);
                added.width = static_cast<uint32_t>(row.integer(3));
                added.height = static_cast<uint32_t>(row.integer(4));
                kind = row.text(5);
                const ByteView data = row.blob(6);
                added.data.assign(data.begin(), data.end());
                return true;
              }));
  TRY_VOID(read_kind(kind, *batch));
  return batch;
}

Result<void> finish_batch(Tx& tx, std::string_view transform, uint64_t sequence) {
  const auto number = static_cast<int64_t>(sequence);
  TRY_VOID(tx.run("UPDATE transform_batch SET finished = 1 WHERE transform = ? AND sequence = ?",
                  {transform, number}));
  TRY_VOID(tx.run(
      "UPDATE transform_row SET data = x'', sequence = -1 WHERE transform = ? AND sequence = ?",
      {transform, number}));
  TRY_VOID(
      tx.run("DELETE FROM transform_row WHERE transform = ?1 AND sequence = -1 AND number <= "
             "(SELECT max(number) FROM "
             "transform_row WHERE transform = ?1) - 1000",
             {transform}));
  return {};
}

Result<Waiting> count_waiting(Tx& tx, std::string_view transform) {
  Waiting waiting;
  TRY_VOID(
      tx.each("SELECT count(*), coalesce(min(added), 0) FROM transform_row WHERE transform = ? AND "
              "sequence IS NULL",
              {transform}, [&](const Row& row) {
                waiting.rows = static_cast<size_t>(row.integer(0));
                waiting.oldest = WallTime(std::chrono::nanoseconds(row.integer(1)));
                return false;
              }));
  return waiting;
}

Result<BatchCounts> count_batches(Tx& tx, std::string_view transform) {
  BatchCounts counts;
  TRY_VOID(
      tx.each("SELECT (SELECT count(*) FROM transform_row WHERE transform = ?1 AND sequence IS NOT "
              "-1), count(*), coalesce(sum(rows), 0) "
              "FROM transform_batch WHERE transform = ?1 AND finished = 1",
              {transform}, [&](const Row& row) {
                counts.waiting = static_cast<uint64_t>(row.integer(0));
                counts.batches = static_cast<uint64_t>(row.integer(1));
                counts.rows = static_cast<uint64_t>(row.integer(2));
                return false;
              }));
  return counts;
}

}  // namespace holdfast::answers
