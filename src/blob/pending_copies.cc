#include "blob/pending_copies.h"

#include "blob/kept.h"
#include "blob/pending_rows.h"
#include "blob/tell.h"

namespace holdfast::blob {

using store::Tx;

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
  copy.headers = source.request.headers.all();
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

}  // namespace holdfast::blob
