// How copies from elsewhere begin and end.
#include "blob/pending_copies.h"

#include "blob/kept.h"
#include "blob/pending_rows.h"
#include "blob/tell.h"

namespace holdfast::blob {

namespace {

using store::Row;
using store::Tx;

Result<BlobKey> key_of(Tx& tx, const PendingCopy& copy) {
  BlobKey key("", "", copy.blob);
  TRY_VOID(tx.each("SELECT account, name FROM container WHERE id = ?", {copy.container},
                   [&](const Row& row) {
                     key.account = std::string(row.text(0));
                     key.container = std::string(row.text(1));
                     return false;
                   }));
  return key;
}

}  // namespace

PendingCopies::PendingCopies(Blobs& blobs, Sources& sources, PendingCopiesOptions options)
    : blobs_(blobs), sources_(sources), options_(options) {
  for (unsigned i = 0; i < options_.at_once; ++i) wakes_.push_back(std::make_unique<Wake>());
}

PendingCopies::~PendingCopies() = default;

Task<Result<Info>> PendingCopies::start(BlobKey to, CopySource source, NewBlob wanted,
                                        Conditions conditions) {
  PendingCopy copy;
  copy.id = random_uuid();
  copy.blob = to.name;
  copy.url = source.request.url;
  for (const auto& [name, value] : source.request.headers) copy.headers.emplace_back(name, value);
  copy.etag = source.etag;
  copy.modified = source.modified;
  copy.sums = source.sums;
  copy.size = source.size;
  wanted.copy = {{"id", copy.id},
                 {"source", source.shown},
                 {"status", "pending"},
                 {"progress", "0/" + std::to_string(source.size)}};
  conditions.untold = true;  // what is created is told once it is whole
  auto work = [this, to, copy, wanted, conditions](Tx& tx) -> Result<Info> {
    TRY(const FoundContainer in, find_container(tx, to.account, to.container));
    TRY(const store::ContentId empty, blobs_.objects_.concatenate(tx, {}));
    TRY(Info info, blobs_.replace(tx, in, to.name, empty, 0, wanted, conditions, "CopyBlob"));
    PendingCopy made = copy;
    made.container = in.id;
    TRY_VOID(save_copy(tx, made, blobs_.clock_.now()));
    return info;
  };
  auto done = co_await blobs_.database_.write(std::move(work));
  if (!done) co_return done;
  if (blobs_.observer_) blobs_.observer_(to);
  for (const auto& wake : wakes_) wake->notify();
  co_return done;
}

Task<Result<void>> PendingCopies::abort(BlobKey key, std::string id, Conditions conditions) {
  auto work = [this, key, id, conditions](Tx& tx) -> Result<void> {
    const WallTime now = blobs_.clock_.now();
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(const auto there, find_blob(tx, in.id, key.name, now));
    if (!there) return blob_not_found(key);
    TRY_VOID(may_write(there->info.lease, conditions.lease_id, now, Leased::blob));
    TRY(const auto copy, find_copy_to(tx, in.id, key.name));
    if (!copy)
      return fail(Code::conflict, "no_pending_copy",
                  "There is currently no pending copy operation.");
    if (copy->id != id)
      return fail(Code::conflict, "copy_id_mismatch",
                  "The specified copy ID did not match the copy ID for the pending copy "
                  "operation.");
    TRY_VOID(end_copy(tx, blobs_.objects_, *copy, "aborted", "", now));
    const Change change{Change::properties, "AbortCopyBlob", {}};
    return tell(tx, blobs_, key, change, there->info, conditions);
  };
  CO_TRY_VOID(co_await blobs_.database_.write(std::move(work)));
  // Whoever is at it need not wait for its part's end.
  const std::lock_guard lock(mutex_);
  if (const auto known = known_.find(id); known != known_.end()) {
    known->second.ended->store(true);
    if (!known->second.running) known_.erase(known);
  }
  co_return Result<void>();
}

Task<Result<void>> PendingCopies::complete(Known& known, const PendingCopy& copy) {
  const std::string md5 = base64(as_bytes(known.sums.md5.finish())),
                    crc = crc64_text(known.sums.crc.value());
  known.sums = Sums();
  for (const auto& [name, wanted] : copy.sums) {
    if (wanted != (name == "Content-MD5" ? md5 : crc))
      co_return fail(Code::invalid_argument, "sum_mismatch",
                     name + " of the source is not what the request named");
  }
  auto work = [this, copy, md5](Tx& tx) -> Result<std::optional<BlobKey>> {
    TRY(auto there, find_row(tx, copy.container, copy.blob));
    TRY(const auto pending, find_copy(tx, copy.id));
    if (!pending || !there) return std::nullopt;
    TRY(const auto parts, parts_of(tx, copy.id));
    TRY(const store::ContentId whole, blobs_.objects_.concatenate(tx, parts));
    Info& info = there->info;
    info.size = copy.size;
    info.modified = blobs_.clock_.now();
    info.etag = blobs_.next_etag();
    settle_lease(info, info.modified);
    std::erase_if(info.headers, [](const auto& pair) { return pair.first == "Content-MD5"; });
    info.headers.emplace_back("Content-MD5", md5);
    TRY_VOID(save_blob(tx, copy.container, whole, info));
    TRY_VOID(blobs_.objects_.release(tx, there->content));
    const std::string size = std::to_string(copy.size);
    TRY_VOID(end_copy(tx, blobs_.objects_, copy, "success", "", info.modified));
    TRY_VOID(say_of_copy(tx, copy, {{"progress", size + "/" + size}}));
    TRY(const BlobKey key, key_of(tx, copy));
    TRY_VOID(tell(tx, blobs_, key, {Change::created, "CopyBlob", {}}, info, {}));
    return std::optional<BlobKey>(key);
  };
  CO_TRY(const auto key, co_await blobs_.database_.write(std::move(work)));
  if (!key) co_return fail(Code::cancelled, "copy_ended", "the copy has ended");
  if (blobs_.observer_) blobs_.observer_(*key);
  co_return Result<void>();
}

Task<Result<void>> PendingCopies::give_up(const PendingCopy& copy, std::string why) {
  auto work = [this, copy, why](Tx& tx) -> Result<void> {
    TRY(const auto pending, find_copy(tx, copy.id));
    if (!pending) return {};
    TRY_VOID(end_copy(tx, blobs_.objects_, copy, "failed", why, blobs_.clock_.now()));
    TRY(const auto there, find_row(tx, copy.container, copy.blob));
    TRY(const BlobKey key, key_of(tx, copy));
    if (!there) return {};
    return tell(tx, blobs_, key, {Change::properties, "CopyBlob", {}}, there->info, {});
  };
  co_return co_await blobs_.database_.write(std::move(work));
}

}  // namespace holdfast::blob
