#include "store/objects/content_index.h"

#include <set>

#include "store/objects_checksums_sql.h"
#include "store/objects_index_sql.h"
#include "store/objects_page_map_sql.h"

namespace holdfast::store::content_index {
namespace {

constexpr int kSegment = 1, kFile = 2, kList = 3, kMap = 4;

// Lists may hold lists, up to a depth that none reaches in use.
Result<void> collect(Tx& tx, int64_t id, std::vector<StagedContent>& out, int depth) {
  if (depth > 8)
    return fail(Code::internal, "content " + std::to_string(id) + " is nested too deeply");
  StagedContent piece;
  int64_t kind = 0;
  TRY_VOID(tx.each(
      "SELECT kind, segment, offset, size, crc, file, sum FROM content WHERE id = ? AND refs > 0",
      {id}, [&](const Row& row) {
        kind = row.integer(0);
        piece.segment = row.integer(1);
        piece.offset = static_cast<uint64_t>(row.integer(2));
        piece.size = static_cast<uint64_t>(row.integer(3));
        piece.crc = static_cast<uint64_t>(row.integer(4));
        piece.file = std::string(row.text(5));
        piece.sum = static_cast<Checksum>(row.integer(6));
        piece.id = id;
        return false;
      }));
  if (kind == 0) return fail(Code::not_found, "there is no content " + std::to_string(id));
  if (kind == kMap) return fail(Code::internal, "a map of pages is read by its own means");
  if (kind != kList) {
    out.push_back(std::move(piece));
    return {};
  }
  std::vector<int64_t> children;
  TRY_VOID(tx.each("SELECT child FROM content_part WHERE parent = ? ORDER BY seq", {id},
                   [&](const Row& row) {
                     children.push_back(row.integer(0));
                     return true;
                   }));
  for (int64_t child : children) TRY_VOID(collect(tx, child, out, depth + 1));
  return {};
}

}  // namespace

Result<void> migrate(Database& database) {
  const Migration migrations[] = {
      {1, k_objects_index_sql}, {2, k_objects_page_map_sql}, {3, k_objects_checksums_sql}};
  return database.migrate("objects", migrations);
}

Result<ContentId> add(Tx& tx, const StagedContent& staged) {
  const bool small = staged.segment > 0;
  TRY_VOID(tx.run(
      "INSERT INTO content(kind, segment, offset, size, crc, file, refs, sum) VALUES(?, ?, ?, ?, "
      "?, ?, 1, ?)",
      {int64_t{small ? kSegment : kFile}, staged.segment, static_cast<int64_t>(staged.offset),
       static_cast<int64_t>(staged.size), static_cast<int64_t>(staged.crc),
       std::string_view(staged.file), static_cast<int64_t>(staged.sum)}));
  const auto id = static_cast<ContentId>(tx.last_insert_id());
  if (small)
    TRY_VOID(tx.run(
        "INSERT INTO segment VALUES(?, 1, ?) ON CONFLICT(number) DO UPDATE SET live = live + 1, "
        "bytes = bytes + excluded.bytes",
        {staged.segment, static_cast<int64_t>(staged.size)}));
  return id;
}

Result<ContentId> concatenate(Tx& tx, const std::vector<ContentId>& parts) {
  int64_t size = 0;
  for (ContentId part : parts) {
    TRY_VOID(retain(tx, part));
    TRY_VOID(tx.each("SELECT size FROM content WHERE id = ?", {static_cast<int64_t>(part)},
                     [&](const Row& row) {
                       size += row.integer(0);
                       return false;
                     }));
  }
  TRY_VOID(
      tx.run("INSERT INTO content(kind, segment, offset, size, crc, file, refs) VALUES(?, 0, 0, "
             "?, 0, '', 1)",
             {int64_t{kList}, size}));
  const int64_t id = tx.last_insert_id();
  int64_t seq = 0;
  for (ContentId part : parts) {
    TRY_VOID(tx.run("INSERT INTO content_part VALUES(?, ?, ?)",
                    {id, seq++, static_cast<int64_t>(part)}));
  }
  return static_cast<ContentId>(id);
}

Result<void> retain(Tx& tx, ContentId id) {
  TRY(const int64_t changed, tx.run("UPDATE content SET refs = refs + 1 WHERE id = ? AND refs > 0",
                                    {static_cast<int64_t>(id)}));
  if (changed == 0) return fail(Code::not_found, "there is no such content");
  return {};
}

Result<void> release(Tx& tx, ContentId id) {
  TRY(const int64_t changed, tx.run("UPDATE content SET refs = refs - 1 WHERE id = ? AND refs > 0",
                                    {static_cast<int64_t>(id)}));
  if (changed == 0) return fail(Code::not_found, "there is no such content");
  return {};
}

Result<std::vector<StagedContent>> pieces(Tx& tx, ContentId id) {
  std::vector<StagedContent> out;
  TRY_VOID(collect(tx, static_cast<int64_t>(id), out, 0));
  return out;
}

Result<std::vector<StagedContent>> stored_after(Tx& tx, int64_t id, size_t limit) {
  std::vector<StagedContent> out;
  TRY_VOID(
      tx.each("SELECT id, segment, offset, size, crc, file, sum FROM content WHERE id > ? AND kind "
              "IN (1, 2) AND refs > 0 ORDER BY id LIMIT ?",
              {id, static_cast<int64_t>(limit)}, [&](const Row& row) {
                StagedContent at;
                at.id = row.integer(0);
                at.segment = row.integer(1);
                at.offset = static_cast<uint64_t>(row.integer(2));
                at.size = static_cast<uint64_t>(row.integer(3));
                at.crc = static_cast<uint64_t>(row.integer(4));
                at.file = std::string(row.text(5));
                at.sum = static_cast<Checksum>(row.integer(6));
                out.push_back(std::move(at));
                return true;
              }));
  return out;
}

Result<void> record_damage(Tx& tx, ContentId id, uint64_t at, std::string_view what, WallTime now) {
  const auto found = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
  TRY_VOID(
      tx.run("INSERT OR IGNORE INTO content_damage SELECT id, ?2, ?3, ?4 FROM content WHERE id = "
             "?1 AND refs > 0",
             {static_cast<int64_t>(id), static_cast<int64_t>(at), int64_t{found.count()}, what}));
  return {};
}

Result<std::vector<Damage>> damages(Tx& tx, size_t limit) {
  std::vector<Damage> out;
  TRY_VOID(tx.each("SELECT content, place, found, what FROM content_damage LIMIT ?",
                   {static_cast<int64_t>(limit)}, [&](const Row& row) {
                     Damage damage;
                     damage.content = static_cast<ContentId>(row.integer(0));
                     damage.at = static_cast<uint64_t>(row.integer(1));
                     damage.found = WallTime(std::chrono::milliseconds(row.integer(2)));
                     damage.what = std::string(row.text(3));
                     out.push_back(std::move(damage));
                     return true;
                   }));
  return out;
}

Result<std::vector<SparseSegment>> segments_with(Tx& tx, uint64_t most, int64_t before) {
  std::vector<SparseSegment> out;
  TRY_VOID(tx.each(
      "SELECT number, live, bytes FROM segment WHERE bytes <= ? AND number < ? AND number < "
      "(SELECT max(number) FROM segment)",
      {static_cast<int64_t>(most), before}, [&](const Row& row) {
        out.push_back(SparseSegment{row.integer(0), static_cast<uint64_t>(row.integer(1)),
                                    static_cast<uint64_t>(row.integer(2))});
        return true;
      }));
  return out;
}

Result<std::vector<StagedContent>> held_by(Tx& tx, int64_t segment) {
  std::vector<int64_t> ids;
  TRY_VOID(tx.each("SELECT id FROM content WHERE kind = 1 AND segment = ? AND refs > 0", {segment},
                   [&](const Row& row) {
                     ids.push_back(row.integer(0));
                     return true;
                   }));
  std::vector<StagedContent> out;
  for (const int64_t id : ids) TRY_VOID(collect(tx, id, out, 0));
  return out;
}

Result<void> move(Tx& tx, const StagedContent& from, const StagedContent& to) {
  TRY(const int64_t moved,
      tx.run("UPDATE content SET segment = ?, offset = ?, crc = ?, sum = ? WHERE id = ? AND kind = "
             "1 AND segment = ?",
             {to.segment, static_cast<int64_t>(to.offset), static_cast<int64_t>(to.crc),
              static_cast<int64_t>(to.sum), from.id, from.segment}));
  if (moved == 0) return {};  // it went meanwhile
  const auto size = static_cast<int64_t>(from.size);
  TRY_VOID(tx.run("UPDATE segment SET live = live - 1, bytes = bytes - ? WHERE number = ?",
                  {size, from.segment}));
  TRY_VOID(
      tx.run("INSERT INTO segment VALUES(?, 1, ?) ON CONFLICT(number) DO UPDATE SET live = live + "
             "1, bytes = bytes + excluded.bytes",
             {to.segment, size}));
  return {};
}

Result<void> forget_segment(Tx& tx, int64_t number) {
  TRY_VOID(tx.run("DELETE FROM segment WHERE number = ? AND live = 0", {number}));
  return {};
}

Result<Swept> sweep_group(Tx& tx) {
  struct Dead {
    int64_t id, kind, segment, size;
    std::string file;
  };
  std::vector<Dead> dead;
  TRY_VOID(tx.each("SELECT id, kind, segment, size, file FROM content WHERE refs = 0 LIMIT 500", {},
                   [&](const Row& row) {
                     dead.push_back(Dead{row.integer(0), row.integer(1), row.integer(2),
                                         row.integer(3), std::string(row.text(4))});
                     return true;
                   }));
  Swept swept;
  swept.rows = dead.size();
  std::set<int64_t> touched;
  for (Dead& content : dead) {
    if (content.kind == kList) {
      TRY_VOID(
          tx.run("UPDATE content SET refs = refs - (SELECT count(*) FROM content_part WHERE "
                 "parent = ?1 AND child = content.id) "
                 "WHERE id IN (SELECT child FROM content_part WHERE parent = ?1)",
                 {content.id}));
      TRY_VOID(tx.run("DELETE FROM content_part WHERE parent = ?", {content.id}));
    } else if (content.kind == kMap) {
      TRY_VOID(
          tx.run("UPDATE content SET refs = refs - (SELECT count(*) FROM content_stretch WHERE map "
                 "= ?1 AND child = content.id) WHERE id IN (SELECT child FROM content_stretch "
                 "WHERE map = ?1)",
                 {content.id}));
      TRY_VOID(tx.run("DELETE FROM content_stretch WHERE map = ?", {content.id}));
    } else {
      swept.bytes += static_cast<uint64_t>(content.size);
    }
    if (content.kind == kFile) swept.files.push_back(std::move(content.file));
    if (content.kind == kSegment) {
      TRY_VOID(tx.run("UPDATE segment SET live = live - 1, bytes = bytes - ? WHERE number = ?",
                      {content.size, content.segment}));
      touched.insert(content.segment);
    }
    TRY_VOID(tx.run("DELETE FROM content_damage WHERE content = ?", {content.id}));
    TRY_VOID(tx.run("DELETE FROM content WHERE id = ?", {content.id}));
  }
  for (int64_t number : touched) {
    TRY_VOID(
        tx.each("SELECT 1 FROM segment WHERE number = ? AND live = 0", {number}, [&](const Row&) {
          swept.segments.push_back(number);
          return false;
        }));
  }
  return swept;
}

}  // namespace holdfast::store::content_index
