#include <unordered_map>

#include "blob/blobs.h"
#include "blob/kept.h"

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

Task<Result<void>> Blobs::put_block(BlobKey key, std::string id, store::StagedContent content,
                                    Conditions conditions) {
  auto work = [this, key, id, content, conditions](Tx& tx) -> Result<void> {
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(const auto there, find_blob(tx, in.id, key.name, clock_.now()));
    TRY_VOID(may_write(there ? there->info.lease : Lease(), conditions.lease_id, clock_.now(),
                       Leased::blob));
    if (there) TRY_VOID(check_no_copy(there->info));
    if (there && there->info.type != BlobType::block) return wrong_type();
    TRY(const store::ContentId made, objects_.add(tx, content));
    int64_t old = 0;
    TRY_VOID(
        tx.each("SELECT content FROM uncommitted_block WHERE container = ? AND blob = ? AND id = ?",
                {in.id, std::string_view(key.name), std::string_view(id)}, [&](const Row& row) {
                  old = row.integer(0);
                  return false;
                }));
    TRY_VOID(
        tx.run("INSERT OR REPLACE INTO uncommitted_block VALUES(?, ?, ?, ?, ?, ?)",
               {in.id, std::string_view(key.name), std::string_view(id), static_cast<int64_t>(made),
                static_cast<int64_t>(content.size), nanos(clock_.now())}));
    if (old != 0) TRY_VOID(objects_.release(tx, static_cast<store::ContentId>(old)));
    return {};
  };
  co_return co_await database_.write(std::move(work));
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
