#include "store/objects/indexed_objects.h"

#include "base/log.h"

namespace holdfast::store {

void IndexedObjects::write_before_commit(Tx& tx, const StagedContent& staged) {
  if (staged.unwritten) tx.before_commit([bytes = staged.unwritten] { return bytes->write(); });
}

Result<ContentId> IndexedObjects::add(Tx& tx, const StagedContent& staged) {
  write_before_commit(tx, staged);
  return content_index::add(tx, staged);
}
Result<ContentId> IndexedObjects::concatenate(Tx& tx, const std::vector<ContentId>& parts) {
  return content_index::concatenate(tx, parts);
}
Result<void> IndexedObjects::retain(Tx& tx, ContentId id) {
  return content_index::retain(tx, id);
}
Result<void> IndexedObjects::release(Tx& tx, ContentId id) {
  return content_index::release(tx, id);
}

Result<std::shared_ptr<OpenContent>> IndexedObjects::open(Tx& tx, ContentId id) {
  TRY(std::vector<StoredPiece> found, pieces(tx, id));
  return open_pieces(std::move(found), pool_, *this);
}

Task<Result<void>> IndexedObjects::verify(ContentId id) {
  auto find = [this, id](Tx& tx) { return pieces(tx, id); };
  CO_TRY(const std::vector<StoredPiece> found, co_await database_.read(std::move(find)));
  auto check = [this, &found]() -> Result<void> {
    for (const StoredPiece& piece : found) TRY_VOID(CheckedPiece(piece, *this).verify());
    return {};
  };
  co_return co_await pool_.run(std::move(check));
}

Task<Result<std::vector<Damage>>> IndexedObjects::damages(size_t limit) {
  auto work = [limit](Tx& tx) { return content_index::damages(tx, limit); };
  co_return co_await database_.read(std::move(work));
}

void IndexedObjects::damaged(ContentId id, uint64_t at, const std::string& what) {
  {
    const std::lock_guard lock(mutex_);
    if (!told_.emplace(id, at).second) return;
  }
  log::error("objects", "stored bytes are damaged",
             {{"content", std::to_string(static_cast<int64_t>(id))},
              {"at", std::to_string(at)},
              {"what", what}});
  // The thread that found it may be one that serves; the database's commits are waited for here.
  pool_.submit([this, id, at, what] {
    const auto record = [&](Tx& tx) {
      return content_index::record_damage(tx, id, at, what, SystemClock().now());
    };
    if (database_.write_now(record)) return;
    const std::lock_guard lock(mutex_);
    told_.erase({id, at});  // the next reader tells it again
  });
}

Task<Result<uint64_t>> IndexedObjects::sweep() {
  uint64_t freed = 0;
  for (;;) {
    auto work = [](Tx& tx) { return content_index::sweep_group(tx); };
    CO_TRY(const content_index::Swept swept, co_await database_.write(std::move(work)));
    // Only after the commit: a row may never name bytes that are gone.
    auto clean = [this, &swept] { erase(swept); };
    co_await pool_.run(std::move(clean));
    freed += swept.bytes;
    if (swept.rows == 0) break;  // a list's parts become free only with it
  }
  if (auto settled = co_await settle(); !settled) co_return settled;
  co_return freed;
}

Result<std::vector<StoredPiece>> IndexedObjects::pieces(Tx& tx, ContentId id) {
  TRY(const std::vector<StagedContent> found, content_index::pieces(tx, id));
  std::vector<StoredPiece> out;
  out.reserve(found.size());
  for (const StagedContent& at : found) {
    auto fd = locate(at);
    if (!fd && fd.error().code() == Code::not_found) {
      damaged(static_cast<ContentId>(at.id), 0, "missing: " + fd.error().message());
      return fail(Code::internal, "content_damaged", "the bytes of a content are missing");
    }
    if (!fd) return std::unexpected(fd.error());
    out.push_back(StoredPiece{at, std::move(*fd)});
  }
  return out;
}

}  // namespace holdfast::store
