#include "blob/pages.h"

#include <algorithm>

#include "blob/kept.h"
#include "blob/retention.h"

namespace holdfast::blob {
namespace {

namespace page_map = store::page_map;
using store::ContentId;
using store::Tx;

struct Found {
  int64_t container = 0;
  FoundBlob blob;
};

Result<Found> find_page_blob(Tx& tx, const BlobKey& key, WallTime now) {
  TRY(const FoundContainer in, find_container(tx, key.account, key.container));
  TRY(auto there, find_blob(tx, in.id, key, now));
  if (!there) return blob_not_found(key);
  if (there->info.type != BlobType::page) return wrong_type();
  return Found{in.id, std::move(*there)};
}

Result<void> check_sequence(const PageConditions& wanted, int64_t sequence) {
  if ((wanted.at_most && sequence > *wanted.at_most) ||
      (wanted.below && sequence >= *wanted.below) || (wanted.equal && sequence != *wanted.equal))
    return fail(Code::precondition_failed, "sequence_number",
                "The sequence number condition specified was not met.");
  return {};
}

}  // namespace

Result<void> note_overwrite(Tx& tx, int64_t container, std::string_view name) {
  TRY_VOID(
      tx.run("UPDATE blob_history SET overwrites = overwrites + 1 WHERE container = ? AND name = ?",
             {container, name}));
  return {};
}

Task<Result<Info>> PageBlobs::create(BlobKey key, uint64_t size, NewBlob wanted,
                                     Conditions conditions) {
  auto work = [this, key, size, wanted, conditions](Tx& tx) -> Result<Info> {
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(const ContentId map, page_map::make(tx));
    return blobs_.replace(tx, in, key.name, map, size, wanted, conditions, "PutBlob");
  };
  auto done = co_await blobs_.database_.write(std::move(work));
  if (done && blobs_.observer_) blobs_.observer_(key);
  co_return done;
}

Task<Result<Info>> PageBlobs::write(BlobKey key, Range range,
                                    std::optional<store::StagedContent> content,
                                    Conditions conditions, PageConditions sequence) {
  auto work = [this, key, range, content, conditions, sequence](Tx& tx) -> Result<Info> {
    TRY(Found found, find_page_blob(tx, key, blobs_.clock_.now()));
    Info info = std::move(found.blob.info);
    const WallTime now = blobs_.clock_.now();
    TRY_VOID(check_change(conditions, info, Write::change, now));
    TRY_VOID(check_mutable(info, now));
    TRY_VOID(check_sequence(sequence, info.sequence));
    if (range.last >= info.size)
      return fail(Code::invalid_argument, "invalid_page_range",
                  "The page range specified is invalid.");
    std::optional<ContentId> pages;
    if (content) {
      TRY(const ContentId added, blobs_.objects_.add(tx, *content));
      pages = added;
    }
    TRY(const ContentId map, page_map::replace(tx, found.blob.content, range.first,
                                               range.last - range.first + 1, pages));
    if (pages) TRY_VOID(blobs_.objects_.release(tx, *pages));
    info.modified = now;
    info.etag = blobs_.next_etag();
    settle_lease(info, now);
    TRY_VOID(save_blob(tx, found.container, map, info));
    return info;
  };
  auto done = co_await blobs_.database_.write(std::move(work));
  if (done && blobs_.observer_) blobs_.observer_(key);
  co_return done;
}

Task<Result<Info>> PageBlobs::change(BlobKey key, PageChange change, Conditions conditions) {
  auto work = [this, key, change, conditions](Tx& tx) -> Result<Info> {
    TRY(Found found, find_page_blob(tx, key, blobs_.clock_.now()));
    Info info = std::move(found.blob.info);
    const WallTime now = blobs_.clock_.now();
    TRY_VOID(check_change(conditions, info, Write::change, now));
    TRY_VOID(check_mutable(info, now));
    if (change.action == PageChange::max) info.sequence = std::max(info.sequence, change.sequence);
    if (change.action == PageChange::update) info.sequence = change.sequence;
    if (change.action == PageChange::increment && info.sequence < INT64_MAX) ++info.sequence;
    if (change.headers) info.headers = *change.headers;
    ContentId map = found.blob.content;
    if (change.size && *change.size < info.size) {
      TRY(map, page_map::replace(tx, map, *change.size, info.size - *change.size, std::nullopt));
    }
    if (change.size) info.size = *change.size;
    info.modified = now;
    info.etag = blobs_.next_etag();
    settle_lease(info, now);
    TRY_VOID(save_blob(tx, found.container, map, info));
    return info;
  };
  co_return co_await blobs_.database_.write(std::move(work));
}

namespace {

// nullopt: of the blob itself.
Result<int64_t> overwrites_since(Tx& tx, int64_t container, std::string_view name,
                                 std::optional<WallTime> kept) {
  int64_t count = 0;
  if (!kept) return count;
  TRY_VOID(
      tx.each("SELECT overwrites FROM blob_history WHERE container = ? AND name = ? AND at = ?",
              {container, name, nanos(*kept)}, [&](const store::Row& row) {
                count = row.integer(0);
                return false;
              }));
  return count;
}

Result<ContentId> map_of_snapshot(Tx& tx, const Found& found, WallTime at, WallTime now) {
  BlobKey key("", "", found.blob.info.name);
  key.snapshot = at;
  if (const auto kept = kept_at(found.blob.info); kept && *kept < at)
    return fail(Code::invalid_argument, "previous_snapshot_newer",
                "The prevsnapshot query parameter value cannot be newer than snapshot query "
                "parameter value.");
  TRY(const auto there, find_blob(tx, found.container, key, now));
  if (!there)
    return fail(Code::conflict, "previous_snapshot_not_found",
                "The previous snapshot is not found.");
  TRY(const int64_t before, overwrites_since(tx, found.container, key.name, at));
  TRY(const int64_t after,
      overwrites_since(tx, found.container, key.name, kept_at(found.blob.info)));
  if (there->info.type != BlobType::page || before != after)
    return fail(Code::conflict, "blob_overwritten",
                "The blob has been recreated since the previous snapshot was taken.");
  return there->content;
}

}  // namespace

Task<Result<PageRanges>> PageBlobs::ranges(BlobKey key, Range range, size_t limit,
                                           Conditions conditions, std::optional<WallTime> since) {
  auto work = [this, key, range, limit, conditions, since](Tx& tx) -> Result<PageRanges> {
    TRY(Found found, find_page_blob(tx, key, blobs_.clock_.now()));
    const Info& info = found.blob.info;
    TRY_VOID(check_read(conditions, info));
    TRY_VOID(may_read(info.lease, conditions.lease_id, blobs_.clock_.now(), Leased::blob));
    if (range.first > 0 && range.first >= info.size)
      return fail(Code::invalid_argument, "invalid_range",
                  "The range specified is invalid for the current size of the resource.");
    const uint64_t end = info.size == 0 ? 0 : std::min(range.last, info.size - 1) + 1;
    PageRanges out;
    if (since) {
      TRY(const ContentId before, map_of_snapshot(tx, found, *since, blobs_.clock_.now()));
      TRY(out.written, page_map::changes(tx, before, found.blob.content, range.first, end, limit));
    } else if (info.size > 0) {
      TRY(out.written, page_map::stretches(tx, found.blob.content, range.first, end, limit));
    }
    out.info = std::move(found.blob.info);
    return out;
  };
  co_return co_await blobs_.database_.read(std::move(work));
}

}  // namespace holdfast::blob
