// Rows of the blob tables as plain types. For blob/*.cc alone.
#pragma once

#include "blob/blobs.h"
#include "blob/pairs.h"

namespace holdfast::blob {

struct FoundContainer {
  int64_t id = 0;
  std::string account;
  Info info;
};
Result<FoundContainer> find_container(store::Tx& tx, std::string_view account,
                                      std::string_view name);

// The id alone, which its index tells. not_found "container_not_found".
Result<int64_t> find_container_id(store::Tx& tx, std::string_view account, std::string_view name);

struct FoundBlob {
  store::ContentId content{};
  Info info;
};
std::unexpected<Error> blob_not_found(const BlobKey& key);
std::unexpected<Error> wrong_type();
// nullopt where it is not there, or no more.
Result<std::optional<FoundBlob>> find_blob(store::Tx& tx, int64_t container, std::string_view name,
                                           WallTime now);
// The row, even where it is not there any more.
Result<std::optional<FoundBlob>> find_row(store::Tx& tx, int64_t container, std::string_view name);
// The same of the present blob in one statement; nullopt also where there is no such container.
Result<std::optional<FoundBlob>> find_row(store::Tx& tx, const BlobKey& key);
bool expired(const Info& info, WallTime now);
// What SQL says to the same; of one parameter, the time in nanoseconds.
inline constexpr std::string_view kNotExpired =
    "(expiry = 0 OR max(expiry, policy_until) > ?3 OR legal_hold = 1)";
// What blob_info() reads, in order; columns of `blob` and `blob_history` alike.
inline constexpr std::string_view kBlobColumns =
    "name, size, created, modified, etag, headers, type, sealed, lease_id, lease_seconds, "
    "lease_until, lease_breaking, tags, tier, sequence, expiry, metadata, blocks, copy, "
    "tier_changed, version, policy, policy_until, legal_hold";
inline constexpr int kBlobColumnCount = 24;
Info blob_info(const store::Row& row);
// Those of them that most listings show, which come first. read_brief() leaves the others as
// they are, and takes the room that `info` has for its texts.
inline constexpr std::string_view kBriefColumns =
    kBlobColumns.substr(0, kBlobColumns.find(", blocks"));
void read_brief(const store::Row& row, Info& info);
// What is wanted of its bytes; of a page blob no more can be read.
Result<std::shared_ptr<store::OpenContent>> open_content(store::Tx& tx, store::ObjectStore& objects,
                                                         const FoundBlob& blob, Range wanted);
// The values of these columns, which refer to the texts.
struct BlobValues {
  explicit BlobValues(const Info& info);
  std::string headers, metadata, copy, tags;
  std::vector<store::Value> values;
};
// So many parameters of an SQL text.
std::string marks(size_t count);
// The row of info.name, made or replaced.
Result<void> save_blob(store::Tx& tx, int64_t container, store::ContentId content,
                       const Info& info);
// Of the making of the present content.
Result<void> forget_parts(store::Tx& tx, int64_t container, std::string_view name);
// The blocks that no list has named.
Result<void> drop_blocks(store::Tx& tx, store::ObjectStore& objects, int64_t container,
                         const std::string& name);
// lease_id and the three columns after it.
Lease lease_in(const store::Row& row, int first_column);
// A write of what is no longer leased ends what is left of the lease.
void settle_lease(Info& info, WallTime now);

// The least text that is greater than every text with this prefix; empty where there is none.
std::string after_prefix(std::string prefix);

int64_t nanos(WallTime time);

}  // namespace holdfast::blob
