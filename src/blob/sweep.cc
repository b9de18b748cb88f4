// What time takes away: blocks that no list named, what was kept for long enough, and what has
// expired.
#include "blob/kept.h"
#include "blob/retention.h"

namespace holdfast::blob {
namespace {

using store::Row;
using store::Tx;

constexpr auto kWeek = std::chrono::hours(7 * 24);

struct BlockRow {
  int64_t container;
  std::string blob, id;
  int64_t content;
};

struct KeptRow {
  int64_t container = 0;
  std::string name;
  WallTime at;
};

// In groups, so that other writers get their turn.
Result<size_t> drop_expired_group(Tx& tx, store::ObjectStore& objects, int64_t now) {
  std::vector<KeptRow> rows;
  TRY_VOID(tx.each(
      "SELECT container, name, at FROM blob_history WHERE expires <> 0 AND expires <= ?1 AND "
      "policy_until <= ?1 AND legal_hold = 0 "
      "LIMIT 500",
      {now}, [&](const Row& row) {
        rows.push_back(KeptRow{row.integer(0), std::string(row.text(1)),
                               WallTime(std::chrono::nanoseconds(row.integer(2)))});
        return true;
      }));
  for (const KeptRow& row : rows) TRY_VOID(drop_kept(tx, objects, row.container, row.name, row.at));
  std::vector<int64_t> containers;
  TRY_VOID(tx.each("SELECT id FROM deleted_container WHERE expires <= ? LIMIT 1", {now},
                   [&](const Row& row) {
                     containers.push_back(row.integer(0));
                     return true;
                   }));
  for (const int64_t id : containers) TRY_VOID(erase_container(tx, objects, id));
  return rows.size() + containers.size();
}

Task<Result<void>> drop_expired(Blobs& blobs) {
  const int64_t now = nanos(blobs.clock().now());
  auto any = [now](Tx& tx) -> Result<bool> {
    bool found = false;
    for (const char* sql : {"SELECT 1 FROM blob_history WHERE expires <> 0 AND expires <= ?1 AND "
                            "policy_until <= ?1 AND "
                            "legal_hold = 0 LIMIT 1",
                            "SELECT 1 FROM deleted_container WHERE expires <= ? LIMIT 1"}) {
      TRY_VOID(tx.each(sql, {now}, [&](const Row&) { return !(found = true); }));
    }
    return found;
  };
  auto drop = [now, &objects = blobs.objects()](Tx& tx) {
    return drop_expired_group(tx, objects, now);
  };
  for (;;) {
    CO_TRY(const bool more, co_await blobs.database().read(any));
    if (!more) break;
    CO_TRY_VOID(co_await blobs.database().write(drop));
  }
  co_return Result<void>();
}

}  // namespace

Task<Result<void>> Blobs::sweep() {
  const int64_t before = nanos(clock_.now() - kWeek);
  // In groups, so that other writers get their turn.
  auto drop = [this, before](Tx& tx) -> Result<size_t> {
    std::vector<BlockRow> old;
    TRY_VOID(tx.each(
        "SELECT container, blob, id, content FROM uncommitted_block WHERE created < ? LIMIT 500",
        {before}, [&](const Row& row) {
          old.push_back(BlockRow{row.integer(0), std::string(row.text(1)), std::string(row.text(2)),
                                 row.integer(3)});
          return true;
        }));
    for (const BlockRow& block : old) {
      TRY_VOID(tx.run("DELETE FROM uncommitted_block WHERE container = ? AND blob = ? AND id = ?",
                      {block.container, std::string_view(block.blob), std::string_view(block.id)}));
      TRY_VOID(objects_.release(tx, static_cast<store::ContentId>(block.content)));
    }
    return old.size();
  };
  auto any = [before](Tx& tx) -> Result<bool> {
    bool found = false;
    TRY_VOID(tx.each("SELECT 1 FROM uncommitted_block WHERE created < ? LIMIT 1", {before},
                     [&](const Row&) { return !(found = true); }));
    return found;
  };
  for (;;) {
    CO_TRY(const bool more, co_await database_.read(any));  // a sweep of nothing writes nothing
    if (!more) break;
    CO_TRY_VOID(co_await database_.write(drop));
  }
  CO_TRY_VOID(co_await drop_expired(*this));
  Retention retention(*this);
  CO_TRY_VOID(co_await retention.sweep());
  CO_TRY_VOID(co_await objects_.sweep());
  co_return Result<void>();
}

}  // namespace holdfast::blob
