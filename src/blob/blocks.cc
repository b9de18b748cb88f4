#include <unordered_map>

#include "blob/blobs.h"
#include "blob/kept.h"
#include "blob/shared_blocks.h"

namespace holdfast::blob {

using store::Row;
using store::Tx;

Result<void> drop_blocks(Tx& tx, store::ObjectStore& objects, int64_t container,
                         const std::string& name) {
  std::vector<int64_t> contents;
  TRY_VOID(tx.each("SELECT content FROM uncommitted_block WHERE container = ? AND blob = ?",
                   {container, std::string_view(name)}, [&](const Row& row) {
                     contents.push_back(row.integer(0));
                     return true;
                   }));
  for (int64_t content : contents)
    TRY_VOID(objects.release(tx, static_cast<store::ContentId>(content)));
  if (!contents.empty())
    TRY_VOID(tx.run("DELETE FROM uncommitted_block WHERE container = ? AND blob = ?",
                    {container, std::string_view(name)}));
  return {};
}

namespace {

// The container of a blob that may get a block.
Result<int64_t> block_target(Tx& tx, const BlobKey& key, const Conditions& conditions,
                             WallTime now) {
  TRY(const FoundContainer in, find_container(tx, key.account, key.container));
  TRY(const auto there, find_blob(tx, in.id, key.name, now));
  TRY_VOID(may_write(there ? there->info.lease : Lease(), conditions.lease_id, now, Leased::blob));
  if (there) TRY_VOID(check_no_copy(there->info));
  if (there && there->info.type != BlobType::block) return wrong_type();
  return in.id;
}

// Takes over the reference on the content.
Result<void> save_block(Tx& tx, store::ObjectStore& objects, int64_t container,
                        std::string_view name, std::string_view id, store::ContentId content,
                        uint64_t size, WallTime now) {
  int64_t old = 0;
  TRY_VOID(
      tx.each("SELECT content FROM uncommitted_block WHERE container = ? AND blob = ? AND id = ?",
              {container, name, id}, [&](const Row& row) {
                old = row.integer(0);
                return false;
              }));
  TRY_VOID(tx.run("INSERT OR REPLACE INTO uncommitted_block VALUES(?, ?, ?, ?, ?, ?)",
                  {container, name, id, static_cast<int64_t>(content), static_cast<int64_t>(size),
                   nanos(now)}));
  if (old != 0) TRY_VOID(objects.release(tx, static_cast<store::ContentId>(old)));
  return {};
}

// The content that is just these bytes.
Result<std::optional<store::ContentId>> stored_alone(Tx& tx, const SharedBytes& bytes,
                                                     WallTime now) {
  const auto in = find_container_id(tx, bytes.from.account, bytes.from.container);
  if (!in && in.error().code() == Code::not_found) return std::nullopt;
  if (!in) return std::unexpected(in.error());
  TRY(const auto from, find_blob(tx, *in, bytes.from, now));
  if (!from || from->info.etag != bytes.etag || from->info.type != BlobType::block)
    return std::nullopt;
  const auto kept = kept_at(from->info);
  std::vector<store::Value> at = {*in, std::string_view(bytes.from.name)};
  if (kept) at.emplace_back(nanos(*kept));
  const uint64_t size = bytes.range.last - bytes.range.first + 1;
  std::optional<store::ContentId> found;
  bool of_blocks = false;
  uint64_t offset = 0;
  TRY_VOID(tx.each(
      std::string("SELECT content, size FROM ") + (kept ? "history_block" : "committed_block") +
          " WHERE container = ?1 AND blob = ?2" + (kept ? " AND at = ?3" : "") + " ORDER BY seq",
      at, [&](const Row& row) {
        of_blocks = true;
        const auto block = static_cast<uint64_t>(row.integer(1));
        if (offset == bytes.range.first && block == size)
          found = static_cast<store::ContentId>(row.integer(0));
        offset += block;
        return !found && offset <= bytes.range.first;
      }));
  if (!of_blocks && size == from->info.size) found = from->content;
  return found;
}

}  // namespace

Task<Result<void>> Blobs::put_block(BlobKey key, std::string id, store::StagedContent content,
                                    Conditions conditions) {
  auto work = [this, key, id, content, conditions](Tx& tx) -> Result<void> {
    const WallTime now = clock_.now();
    TRY(const int64_t container, block_target(tx, key, conditions, now));
    TRY(const store::ContentId made, objects_.add(tx, content));
    return save_block(tx, objects_, container, key.name, id, made, content.size, now);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<bool>> can_share(Blobs& blobs, SharedBytes bytes) {
  auto work = [&blobs, bytes](Tx& tx) -> Result<bool> {
    TRY(const auto found, stored_alone(tx, bytes, blobs.clock().now()));
    return found.has_value();
  };
  co_return co_await blobs.database().read(std::move(work));
}

Task<Result<bool>> share_block(Blobs& blobs, BlobKey to, std::string id, SharedBytes bytes,
                               Conditions conditions) {
  auto work = [&blobs, to, id, bytes, conditions](Tx& tx) -> Result<bool> {
    const WallTime now = blobs.clock().now();
    TRY(const int64_t container, block_target(tx, to, conditions, now));
    TRY(const auto found, stored_alone(tx, bytes, now));
    if (!found) return false;
    TRY_VOID(blobs.objects().retain(tx, *found));
    const uint64_t size = bytes.range.last - bytes.range.first + 1;
    TRY_VOID(save_block(tx, blobs.objects(), container, to.name, id, *found, size, now));
    return true;
  };
  co_return co_await blobs.database().write(std::move(work));
}

Task<Result<Info>> Blobs::put_block_list(BlobKey key, std::vector<BlockRef> blocks, NewBlob wanted,
                                         Conditions conditions) {
  auto work = [this, key, blocks, wanted, conditions](Tx& tx) -> Result<Info> {
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(const auto old, find_blob(tx, in.id, key.name, clock_.now()));
    if (old && old->info.type != BlobType::block) return wrong_type();
    struct Known {
      store::ContentId content{};
      uint64_t size = 0;
    };
    std::unordered_map<std::string, Known> committed, uncommitted;
    const auto read = [&](std::string_view sql, auto& into) {
      return tx.each(sql, {in.id, std::string_view(key.name)}, [&](const Row& row) {
        into[std::string(row.text(0))] = Known{static_cast<store::ContentId>(row.integer(1)),
                                               static_cast<uint64_t>(row.integer(2))};
        return true;
      });
    };
    if (old)
      TRY_VOID(
          read("SELECT id, content, size FROM committed_block WHERE container = ? AND blob = ?",
               committed));
    TRY_VOID(
        read("SELECT id, content, size FROM uncommitted_block WHERE container = ? AND blob = ?",
             uncommitted));
    std::vector<Known> chosen;
    uint64_t size = 0;
    for (const BlockRef& block : blocks) {
      auto found = uncommitted.find(block.id);
      bool there = block.kind != BlockRef::committed && found != uncommitted.end();
      if (!there && block.kind != BlockRef::uncommitted) {
        found = committed.find(block.id);
        there = found != committed.end();
      }
      if (!there)
        return fail(Code::invalid_argument, "invalid_block_list",
                    "The specified block list is invalid: there is no block '" + block.id + "'");
      chosen.push_back(found->second);
      size += found->second.size;
    }
    std::vector<store::ContentId> parts;
    parts.reserve(chosen.size());
    for (const Known& known : chosen) parts.push_back(known.content);
    TRY(const store::ContentId whole_content, objects_.concatenate(tx, parts));
    TRY(Info info,
        replace(tx, in, key.name, whole_content, size, wanted, conditions, "PutBlockList"));
    for (size_t i = 0; i < blocks.size(); ++i) {
      TRY_VOID(tx.run("INSERT INTO committed_block VALUES(?, ?, ?, ?, ?, ?)",
                      {in.id, std::string_view(key.name), static_cast<int64_t>(i),
                       std::string_view(blocks[i].id), static_cast<int64_t>(chosen[i].content),
                       static_cast<int64_t>(chosen[i].size)}));
    }
    return info;
  };
  auto done = co_await database_.write(std::move(work));
  if (done && observer_) observer_(key);
  co_return done;
}

Task<Result<BlockLists>> Blobs::block_lists(BlobKey key) {
  auto work = [this, key](Tx& tx) -> Result<BlockLists> {
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(const auto there, find_blob(tx, in.id, key, clock_.now()));
    if (there && there->info.type != BlobType::block) return wrong_type();
    BlockLists lists;
    const auto into = [](std::vector<Block>& blocks) {
      return [&blocks](const Row& row) {
        blocks.push_back(Block{std::string(row.text(0)), static_cast<uint64_t>(row.integer(1))});
        return true;
      };
    };
    if (there) lists.blob = there->info;
    if (const auto at = kept_at(lists.blob)) {
      TRY_VOID(
          tx.each("SELECT id, size FROM history_block WHERE container = ? AND blob = ? AND at = ? "
                  "ORDER BY seq",
                  {in.id, std::string_view(key.name), nanos(*at)}, into(lists.committed)));
      return lists;
    }
    if (there)
      TRY_VOID(tx.each(
          "SELECT id, size FROM committed_block WHERE container = ? AND blob = ? ORDER BY seq",
          {in.id, std::string_view(key.name)}, into(lists.committed)));
    if (key.snapshot == WallTime() && key.version == WallTime())
      TRY_VOID(tx.each(
          "SELECT id, size FROM uncommitted_block WHERE container = ? AND blob = ? ORDER BY id",
          {in.id, std::string_view(key.name)}, into(lists.uncommitted)));
    if (!there && lists.uncommitted.empty()) return blob_not_found(key);
    return lists;
  };
  co_return co_await database_.read(std::move(work));
}

}  // namespace holdfast::blob
