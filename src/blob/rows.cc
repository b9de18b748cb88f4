#include "blob/rows.h"

#include <algorithm>

#include "store/objects/page_map.h"

namespace holdfast::blob {

namespace {

std::unexpected<Error> container_not_found(std::string_view name) {
  return fail(Code::not_found, "container_not_found",
              "there is no container '" + std::string(name) + "'");
}

}  // namespace

int64_t nanos(WallTime time) {
  return time.time_since_epoch().count();
}

Result<FoundContainer> find_container(store::Tx& tx, std::string_view account,
                                      std::string_view name) {
  FoundContainer found;
  TRY_VOID(
      tx.each("SELECT id, modified, etag, metadata, lease_id, lease_seconds, lease_until, "
              "lease_breaking, access FROM container WHERE account = ? AND name = ?",
              {account, name}, [&](const store::Row& row) {
                found.id = row.integer(0);
                found.account = std::string(account);
                found.info.name = std::string(name);
                found.info.modified = found.info.created =
                    WallTime(std::chrono::nanoseconds(row.integer(1)));
                found.info.etag = static_cast<uint64_t>(row.integer(2));
                found.info.metadata = pairs_from_json(row.text(3));
                found.info.lease = lease_in(row, 4);
                found.info.access = std::string(row.text(8));
                return false;
              }));
  if (found.id == 0) return container_not_found(name);
  return found;
}

Result<int64_t> find_container_id(store::Tx& tx, std::string_view account, std::string_view name) {
  int64_t id = 0;
  TRY_VOID(tx.each("SELECT id FROM container WHERE account = ? AND name = ?", {account, name},
                   [&](const store::Row& row) {
                     id = row.integer(0);
                     return false;
                   }));
  if (id == 0) return container_not_found(name);
  return id;
}

std::unexpected<Error> blob_not_found(const BlobKey& key) {
  return fail(Code::not_found, "blob_not_found",
              "there is no blob '" + key.name + "' in the container '" + key.container + "'");
}

std::unexpected<Error> wrong_type() {
  return fail(Code::conflict, "invalid_blob_type", "The blob type is invalid for this operation.");
}

void read_brief(const store::Row& row, Info& info) {
  info.name = row.text(0);
  info.size = static_cast<uint64_t>(row.integer(1));
  info.created = WallTime(std::chrono::nanoseconds(row.integer(2)));
  info.modified = WallTime(std::chrono::nanoseconds(row.integer(3)));
  info.etag = static_cast<uint64_t>(row.integer(4));
  read_pairs(row.text(5), info.headers);
  info.type = static_cast<BlobType>(row.integer(6));
  info.sealed = row.integer(7) != 0;
  info.lease = lease_in(row, 8);
  read_pairs(row.text(12), info.tags);
  info.tier = row.text(13);
  info.sequence = row.integer(14);
  info.expiry = WallTime(std::chrono::nanoseconds(row.integer(15)));
  read_pairs(row.text(16), info.metadata);
}

Info blob_info(const store::Row& row) {
  Info info;
  read_brief(row, info);
  info.blocks = static_cast<uint32_t>(row.integer(17));
  info.copy = pairs_from_json(row.text(18));
  info.tier_changed = WallTime(std::chrono::nanoseconds(row.integer(19)));
  info.version = WallTime(std::chrono::nanoseconds(row.integer(20)));
  info.immutability.mode = static_cast<Immutability::Mode>(row.integer(21));
  info.immutability.until = WallTime(std::chrono::nanoseconds(row.integer(22)));
  info.immutability.hold = row.integer(23) != 0;
  return info;
}

namespace {

const std::string kFind =
    "SELECT " + std::string(kBlobColumns) + ", content FROM blob WHERE name = ? AND container = ";

Result<std::optional<FoundBlob>> one_row(store::Tx& tx, std::string_view sql,
                                         std::span<const store::Value> values) {
  std::optional<FoundBlob> found;
  TRY_VOID(tx.each(sql, values, [&](const store::Row& row) {
    found.emplace();
    found->info = blob_info(row);
    found->content = static_cast<store::ContentId>(row.integer(kBlobColumnCount));
    return false;
  }));
  return found;
}

}  // namespace

Result<std::optional<FoundBlob>> find_row(store::Tx& tx, int64_t container, std::string_view name) {
  static const std::string sql = kFind + "?";
  return one_row(tx, sql, {{name, container}});
}

Result<std::optional<FoundBlob>> find_row(store::Tx& tx, const BlobKey& key) {
  static const std::string sql =
      kFind + "(SELECT id FROM container WHERE account = ? AND name = ?)";
  return one_row(tx, sql, {{key.name, key.account, key.container}});
}

bool expired(const Info& info, WallTime now) {
  return info.expiry != WallTime() && info.expiry <= now && !info.immutability.protects(now);
}

Result<std::optional<FoundBlob>> find_blob(store::Tx& tx, int64_t container, std::string_view name,
                                           WallTime now) {
  TRY(auto found, find_row(tx, container, name));
  if (found && expired(found->info, now)) found.reset();
  return found;
}

Result<std::shared_ptr<store::OpenContent>> open_content(store::Tx& tx, store::ObjectStore& objects,
                                                         const FoundBlob& blob, Range wanted) {
  if (blob.info.type != BlobType::page) return objects.open(tx, blob.content);
  const uint64_t end = std::min(wanted.last, store::page_map::kEnd) + 1;
  return store::page_map::open(tx, objects, blob.content, blob.info.size, wanted.first, end);
}

BlobValues::BlobValues(const Info& info)
    : headers(pairs_to_json(info.headers)),
      metadata(pairs_to_json(info.metadata)),
      copy(pairs_to_json(info.copy)),
      tags(pairs_to_json(info.tags)) {
  values = {std::string_view(info.name),
            static_cast<int64_t>(info.size),
            nanos(info.created),
            nanos(info.modified),
            static_cast<int64_t>(info.etag),
            std::string_view(headers),
            static_cast<int64_t>(info.type),
            int64_t{info.sealed},
            std::string_view(info.lease.id),
            int64_t{info.lease.seconds},
            nanos(info.lease.until),
            int64_t{info.lease.breaking},
            std::string_view(tags),
            std::string_view(info.tier),
            info.sequence,
            nanos(info.expiry),
            std::string_view(metadata),
            int64_t{info.blocks},
            std::string_view(copy),
            nanos(info.tier_changed),
            nanos(info.version),
            int64_t{info.immutability.mode},
            nanos(info.immutability.until),
            int64_t{info.immutability.hold}};
}

std::string marks(size_t count) {
  std::string out = "?";
  while (--count > 0) out += ", ?";
  return out;
}

Result<void> save_blob(store::Tx& tx, int64_t container, store::ContentId content,
                       const Info& info) {
  BlobValues row(info);
  row.values.insert(row.values.begin(), {container, static_cast<int64_t>(content)});
  static const std::string sql =
      "INSERT INTO blob(container, content, " + std::string(kBlobColumns) + ") VALUES(" +
      marks(row.values.size()) +
      ") ON CONFLICT(container, name) "
      "DO UPDATE SET content = excluded.content, size = excluded.size, modified = "
      "excluded.modified, etag = excluded.etag, headers = excluded.headers, metadata = "
      "excluded.metadata, type = excluded.type, blocks = excluded.blocks, sealed = "
      "excluded.sealed, lease_id = excluded.lease_id, lease_seconds = excluded.lease_seconds, "
      "lease_until = excluded.lease_until, lease_breaking = excluded.lease_breaking, copy = "
      "excluded.copy, tags = "
      "excluded.tags, tier = excluded.tier, tier_changed = excluded.tier_changed, sequence = "
      "excluded.sequence, version = excluded.version, expiry = excluded.expiry, policy = "
      "excluded.policy, policy_until = excluded.policy_until, legal_hold = excluded.legal_hold";
  TRY_VOID(tx.run(sql, row.values));
  return {};
}

Result<void> forget_parts(store::Tx& tx, int64_t container, std::string_view name) {
  for (const char* sql : {"DELETE FROM committed_block WHERE container = ? AND blob = ?",
                          "DELETE FROM append_part WHERE container = ? AND blob = ?"}) {
    TRY_VOID(tx.run(sql, {container, name}));
  }
  return {};
}

Lease lease_in(const store::Row& row, int first) {
  Lease lease;
  lease.id = std::string(row.text(first));
  if (lease.id.empty()) return lease;
  lease.seconds = static_cast<int>(row.integer(first + 1));
  lease.until = WallTime(std::chrono::nanoseconds(row.integer(first + 2)));
  lease.breaking = row.integer(first + 3) != 0;
  return lease;
}

void settle_lease(Info& info, WallTime now) {
  if (!info.lease.locked(now)) info.lease = Lease();
}

std::string after_prefix(std::string prefix) {
  while (!prefix.empty() && static_cast<uint8_t>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<uint8_t>(prefix.back()) + 1);
  return prefix;
}

}  // namespace holdfast::blob
