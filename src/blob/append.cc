#include "blob/blobs.h"
#include "blob/retention.h"
#include "blob/rows.h"

namespace holdfast::blob {
namespace {

using store::ContentId;
using store::Row;
using store::Tx;

constexpr uint32_t kAppendLimit = 50'000;
// So many parts of one size become a part of the next: an append then writes a few dozen rows,
// however many blocks there are, and the lists nest four deep at most.
constexpr uint32_t kRadix = 16;

Result<FoundBlob> find_append_blob(Tx& tx, int64_t container, const BlobKey& key, WallTime now) {
  TRY(auto there, find_blob(tx, container, key.name, now));
  if (!there) return blob_not_found(key);
  if (there->info.type != BlobType::append) return wrong_type();
  return std::move(*there);
}

Result<void> check_position(const AppendConditions& where, uint64_t size, uint64_t more) {
  if (where.position && *where.position != size)
    return fail(Code::precondition_failed, "append_position",
                "The append position condition specified was not met.");
  if (where.max_size && (more > *where.max_size || size > *where.max_size - more))
    return fail(Code::precondition_failed, "max_blob_size",
                "The max blob size condition specified was not met.");
  return {};
}

// The content with one block more; takes over the reference on it.
Result<ContentId> append_part(Tx& tx, store::ObjectStore& objects, int64_t container,
                              const std::string& name, ContentId block, uint32_t count) {
  std::vector<ContentId> parts;
  TRY_VOID(tx.each("SELECT content FROM append_part WHERE container = ? AND blob = ? ORDER BY seq",
                   {container, std::string_view(name)}, [&](const Row& row) {
                     parts.push_back(static_cast<ContentId>(row.integer(0)));
                     return true;
                   }));
  parts.push_back(block);
  size_t kept = parts.size() - 1;        // of these the rows stay
  std::vector<ContentId> own = {block};  // held by this transaction until the whole holds them
  for (uint32_t rest = count; rest % kRadix == 0 && parts.size() >= kRadix; rest /= kRadix) {
    const std::vector<ContentId> last(parts.end() - kRadix, parts.end());
    TRY(const ContentId joined, objects.concatenate(tx, last));
    parts.resize(parts.size() - kRadix);
    kept = std::min(kept, parts.size());
    parts.push_back(joined);
    own.push_back(joined);
  }
  TRY_VOID(tx.run("DELETE FROM append_part WHERE container = ? AND blob = ? AND seq >= ?",
                  {container, std::string_view(name), static_cast<int64_t>(kept)}));
  for (size_t i = kept; i < parts.size(); ++i)
    TRY_VOID(tx.run("INSERT INTO append_part VALUES(?, ?, ?, ?)",
                    {container, std::string_view(name), static_cast<int64_t>(i),
                     static_cast<int64_t>(parts[i])}));
  TRY(const ContentId whole, objects.concatenate(tx, parts));
  for (const ContentId part : own) TRY_VOID(objects.release(tx, part));
  return whole;
}

}  // namespace

Task<Result<Appended>> Blobs::append_block(BlobKey key, store::StagedContent content,
                                           Conditions conditions, AppendConditions where) {
  auto work = [this, key, content, conditions, where](Tx& tx) -> Result<Appended> {
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(FoundBlob there, find_append_blob(tx, in.id, key, clock_.now()));
    TRY_VOID(check_change(conditions, there.info, Write::change, clock_.now()));
    TRY_VOID(check_mutable(there.info, clock_.now()));
    if (there.info.sealed)
      return fail(Code::conflict, "blob_sealed", "The specified blob is sealed.");
    TRY_VOID(check_position(where, there.info.size, content.size));
    if (there.info.blocks >= kAppendLimit)
      return fail(Code::conflict, "too_many_blocks",
                  "The committed block count cannot exceed the maximum limit of 50,000 blocks.");
    Appended done;
    done.offset = there.info.size;
    done.info = std::move(there.info);
    done.info.size += content.size;
    ++done.info.blocks;
    done.info.modified = clock_.now();
    done.info.etag = next_etag();
    settle_lease(done.info, done.info.modified);
    std::erase_if(done.info.headers, [](const auto& pair) { return pair.first == "Content-MD5"; });
    TRY(const ContentId block, objects_.add(tx, content));
    TRY(const ContentId whole, append_part(tx, objects_, in.id, key.name, block, done.info.blocks));
    TRY_VOID(save_blob(tx, in.id, whole, done.info));
    TRY_VOID(objects_.release(tx, there.content));
    return done;
  };
  auto done = co_await database_.write(std::move(work));
  if (done && observer_) observer_(key);
  co_return done;
}

Task<Result<Info>> Blobs::seal(BlobKey key, Conditions conditions, AppendConditions where) {
  auto work = [this, key, conditions, where](Tx& tx) -> Result<Info> {
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(FoundBlob there, find_append_blob(tx, in.id, key, clock_.now()));
    TRY_VOID(check_change(conditions, there.info, Write::change, clock_.now()));
    TRY_VOID(check_position(where, there.info.size, 0));
    if (there.info.sealed) return std::move(there.info);
    TRY_VOID(check_mutable(there.info, clock_.now()));
    there.info.sealed = true;
    there.info.modified = clock_.now();
    there.info.etag = next_etag();
    TRY_VOID(save_blob(tx, in.id, there.content, there.info));
    return std::move(there.info);
  };
  co_return co_await database_.write(std::move(work));
}

}  // namespace holdfast::blob
