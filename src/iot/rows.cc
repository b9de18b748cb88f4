#include "iot/rows.h"

#include <boost/json/serialize.hpp>

#include "base/digest.h"
#include "base/exact_json.h"
#include "iot/documents.h"

namespace holdfast::iot {
namespace {

namespace json = boost::json;
using std::string_view;
using store::Row;
using store::Tx;

json::object object_of(string_view text) {
  auto value = parse_json_exactly(text);
  return value && value->is_object() ? std::move(value->get_object()) : json::object();
}

}  // namespace

std::string new_etag() {
  return base64(as_bytes(random_bytes(9)));
}
std::string new_key() {
  return base64(as_bytes(random_bytes(32)));
}

Identity identity_of(const Row& row) {
  Identity out;
  out.address = {std::string(row.text(0)), std::string(row.text(1))};
  out.generation = std::string(row.text(2));
  out.etag = std::string(row.text(3));
  out.created = from_nanos(row.integer(4));
  out.enabled = row.integer(5) != 0;
  out.status_reason = std::string(row.text(6));
  out.status_changed = from_nanos(row.integer(7));
  out.keys = {std::string(row.text(8)), std::string(row.text(9))};
  out.edge = row.integer(10) != 0;
  out.managed_by = std::string(row.text(11));
  return out;
}

Result<void> insert_identity(Tx& tx, const Identity& identity, WallTime now) {
  const Address& at = identity.address;
  TRY_VOID(
      tx.run("INSERT INTO identity(device, module, generation, etag, created, enabled, "
             "status_reason, status_changed, key1, key2, edge, managed_by) "
             "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
             {string_view(at.device), string_view(at.module), string_view(identity.generation),
              string_view(identity.etag), nanos(identity.created), int64_t{identity.enabled},
              string_view(identity.status_reason), nanos(identity.status_changed),
              string_view(identity.keys[0]), string_view(identity.keys[1]), int64_t{identity.edge},
              string_view(identity.managed_by)}));
  Twin twin;
  twin.address = at;
  twin.etag = new_etag();
  twin.desired = new_section(now, true);
  twin.reported = new_section(now, false);
  return write_twin(tx, twin);
}

Result<void> update_identity(Tx& tx, const Identity& identity) {
  TRY_VOID(tx.run(
      "UPDATE identity SET etag = ?, enabled = ?, status_reason = ?, status_changed = ?, "
      "key1 = ?, key2 = ?, edge = ?, managed_by = ? WHERE device = ? AND module = ?",
      {string_view(identity.etag), int64_t{identity.enabled}, string_view(identity.status_reason),
       nanos(identity.status_changed), string_view(identity.keys[0]), string_view(identity.keys[1]),
       int64_t{identity.edge}, string_view(identity.managed_by),
       string_view(identity.address.device), string_view(identity.address.module)}));
  return {};
}

Result<bool> delete_identity(Tx& tx, const Address& address) {
  const char* sql = address.module.empty()
                        ? "DELETE FROM identity WHERE device = ?1"
                        : "DELETE FROM identity WHERE device = ?1 AND module = ?2";
  if (address.module.empty()) {
    TRY(const int64_t gone, tx.run(sql, {string_view(address.device)}));
    return gone > 0;
  }
  TRY(const int64_t gone, tx.run(sql, {string_view(address.device), string_view(address.module)}));
  return gone > 0;
}

Result<Twin> read_twin(Tx& tx, const Address& address) {
  std::optional<Twin> out;
  TRY_VOID(
      tx.each("SELECT etag, version, tags, desired, desired_metadata, desired_version, reported, "
              "reported_metadata, reported_version FROM twin WHERE device = ? AND module = ?",
              {string_view(address.device), string_view(address.module)}, [&](const Row& row) {
                Twin twin;
                twin.address = address;
                twin.etag = std::string(row.text(0));
                twin.version = static_cast<uint64_t>(row.integer(1));
                twin.tags = object_of(row.text(2));
                twin.desired = {object_of(row.text(3)), object_of(row.text(4)),
                                static_cast<uint64_t>(row.integer(5))};
                twin.reported = {object_of(row.text(6)), object_of(row.text(7)),
                                 static_cast<uint64_t>(row.integer(8))};
                out = std::move(twin);
                return false;
              }));
  if (!out) return no_identity(address);
  return std::move(*out);
}

Result<void> write_twin(Tx& tx, const Twin& twin) {
  const std::string tags = json::serialize(twin.tags);
  const std::string desired = json::serialize(twin.desired.values);
  const std::string desired_metadata = json::serialize(twin.desired.metadata);
  const std::string reported = json::serialize(twin.reported.values);
  const std::string reported_metadata = json::serialize(twin.reported.metadata);
  TRY_VOID(tx.run("INSERT OR REPLACE INTO twin VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  {string_view(twin.address.device), string_view(twin.address.module),
                   string_view(twin.etag), static_cast<int64_t>(twin.version), string_view(tags),
                   string_view(desired), string_view(desired_metadata),
                   static_cast<int64_t>(twin.desired.version), string_view(reported),
                   string_view(reported_metadata), static_cast<int64_t>(twin.reported.version)}));
  return {};
}

Result<void> check_etag(const IfMatch& condition, std::string_view etag) {
  if (!condition || *condition == "*" || *condition == etag) return {};
  return fail(Code::precondition_failed, "etag",
              "the ETag does not match: it was changed meanwhile");
}

std::unexpected<Error> no_identity(const Address& address) {
  if (address.module.empty())
    return fail(Code::not_found, "device_not_found", "there is no device '" + address.device + "'");
  return fail(Code::not_found, "module_not_found",
              "there is no module '" + address.module + "' on the device '" + address.device + "'");
}

}  // namespace holdfast::iot
