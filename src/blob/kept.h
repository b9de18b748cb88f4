// Rows of the history as plain types. For blob/*.cc alone.
#pragma once

#include "blob/rows.h"

namespace holdfast::blob {

// "Last": of a blob that is no longer there, the one that says so. The numbers are on disk.
enum class KeptState {
  snapshot = 0,
  deleted_snapshot = 1,
  deleted_blob = 2,
  version = 3,
  last_version = 4,
  deleted_version = 5,
  deleted_last_version = 6,
};

// What a deletion leaves of a blob.
struct Keeping {
  bool versions = false;
  std::chrono::hours kept{0};  // softly deleted; 0: not at all
  bool permanent_delete = false;
};

Result<Keeping> keeping_in(store::Tx& tx, const AccountSettings& settings,
                           std::string_view account);
// What was the blob until now goes: into the history where one is kept. Takes over its reference;
// its row stays. `last`: there is no blob of this name any more.
Result<void> set_aside(store::Tx& tx, store::ObjectStore& objects, int64_t container,
                       const FoundBlob& blob, const Keeping& keeping, bool last, WallTime now);

struct Kept {
  FoundBlob blob;
  KeptState state = KeptState::snapshot;
};
// The snapshot or version of that time, softly deleted or not.
Result<std::optional<Kept>> find_kept(store::Tx& tx, int64_t container, std::string_view name,
                                      WallTime at);
// The blob, or the snapshot or version that the key names. nullopt where it is not there.
Result<std::optional<FoundBlob>> find_blob(store::Tx& tx, int64_t container, const BlobKey& key,
                                           WallTime now);
// For a reader, in one statement where it is the present one. not_found "container_not_found" or
// "blob_not_found".
Result<FoundBlob> find_for_read(store::Tx& tx, const BlobKey& key, WallTime now);
// `row` has kBlobColumns and kKeptColumns.
inline constexpr std::string_view kKeptColumns = ", state, at, deleted, expires";
Info kept_info(const store::Row& row);
// nullopt for the blob itself.
std::optional<WallTime> kept_at(const Info& info);

// A time for a snapshot or a version, later than all that this blob has; `current` is the version
// that it has now.
Result<WallTime> free_time(store::Tx& tx, int64_t container, std::string_view name, WallTime wanted,
                           WallTime current);
// The id that the blob has as a version; one of its time where it was given none.
Result<WallTime> version_id(store::Tx& tx, int64_t container, const Info& info);
// The blob as it is, under that time, with its making; takes over a reference on its content.
Result<void> keep(store::Tx& tx, int64_t container, const FoundBlob& blob, KeptState state,
                  WallTime at, WallTime deleted = {}, WallTime expires = {});
// Of a new blob of this name, which had none.
Result<void> end_last(store::Tx& tx, int64_t container, std::string_view name);
// For good; the content's reference too.
Result<void> drop_kept(store::Tx& tx, store::ObjectStore& objects, int64_t container,
                       std::string_view name, WallTime at);
Result<void> delete_softly(store::Tx& tx, int64_t container, std::string_view name, WallTime at,
                           KeptState state, WallTime now, WallTime expires);
// The deleted blob becomes the blob.
Result<void> revive(store::Tx& tx, int64_t container, const Kept& kept, WallTime at);

// Tags, tier, policy and hold, of the blob or of what is kept.
Result<void> save_labels(store::Tx& tx, int64_t container, const FoundBlob& blob);

// The times of the kept that are in this state, the oldest first.
Result<std::vector<WallTime>> times_of(store::Tx& tx, int64_t container, std::string_view name,
                                       KeptState state);

// The blob's row goes; where soft delete or versions keep it, into the history.
Result<void> remove_present(store::Tx& tx, store::ObjectStore& objects, int64_t container,
                            const FoundBlob& blob, const Keeping& keeping, WallTime now);
// What is immutable of them stays.
Result<void> remove_snapshots(store::Tx& tx, store::ObjectStore& objects, int64_t container,
                              std::string_view name, const Keeping& keeping, WallTime now);
// The blob; one that has expired, but is still there, goes now.
Result<std::optional<FoundBlob>> find_or_expire(store::Tx& tx, Blobs& blobs,
                                                const FoundContainer& in, std::string_view name);
// conflict "immutable_policy" where a blob of the container is, or what is kept of one.
Result<void> check_none_immutable(store::Tx& tx, int64_t container, WallTime now);

// With all that is under it, kept or not; the references on contents too.
Result<void> erase_container(store::Tx& tx, store::ObjectStore& objects, int64_t id);
// Nobody finds it any more, but restore_container().
Result<void> hide_container(store::Tx& tx, const FoundContainer& container, WallTime now,
                            WallTime expires);

}  // namespace holdfast::blob
