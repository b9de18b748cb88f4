#include "store/objects/indexed_objects.h"

#include "store/objects/content.h"

namespace holdfast::store {

Result<ContentId> IndexedObjects::add(Tx& tx, const StagedContent& staged) {
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
  return open_pieces(std::move(found), pool_);
}

Task<Result<void>> IndexedObjects::verify(ContentId id) {
  auto find = [this, id](Tx& tx) { return pieces(tx, id); };
  CO_TRY(const std::vector<StoredPiece> found, co_await database_.read(std::move(find)));
  auto check = [&found] { return verify_pieces(found); };
  co_return co_await pool_.run(std::move(check));
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
    if (swept.rows == 0) co_return freed;  // a list's parts become free only with it
  }
}

Result<std::vector<StoredPiece>> IndexedObjects::pieces(Tx& tx, ContentId id) {
  TRY(const std::vector<StagedContent> found, content_index::pieces(tx, id));
  std::vector<StoredPiece> out;
  out.reserve(found.size());
  for (const StagedContent& at : found) {
    TRY(auto fd, locate(at));
    out.push_back(StoredPiece{std::move(fd), at.offset, at.size, at.crc32});
  }
  return out;
}

}  // namespace holdfast::store
