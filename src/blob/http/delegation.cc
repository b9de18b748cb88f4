// Get User Delegation Key.
#include "blob/http/operations.h"
#include "blob/http/xml.h"
#include "blob/http/xml_text.h"
#include "identity/delegation_keys.h"

namespace holdfast::blob {
namespace {

constexpr uint64_t kKeyInfoLimit = 16 << 10;
constexpr auto kLongest = std::chrono::hours(24 * 7);

}  // namespace

Answer get_user_delegation_key(Call& call) {
  if (!call.caller || !call.make_delegation_key)
    co_return fail(Code::denied, "sas_permission",
                   "a user delegation key is given to the bearer of a token alone");
  CO_TRY(const std::string body, co_await read_all(*call.request.body, kKeyInfoLimit));
  CO_TRY(const KeyInfo wanted, parse_key_info(body));
  const WallTime now = call.blobs.clock().now();
  const auto start = wanted.start.empty() ? Result<WallTime>(now) : parse_rfc3339(wanted.start);
  const auto expiry = parse_rfc3339(wanted.expiry);
  if (!start || !expiry || *expiry <= now || *expiry <= *start ||
      *expiry > now + kLongest + std::chrono::minutes(1))
    co_return fail(Code::invalid_argument, "invalid_xml",
                   "the KeyInfo's Expiry is after its Start, and within seven days from now");
  identity::DelegationKey key;
  key.oid = call.caller->id;
  key.start = format_rfc3339(*start, 0);
  key.expiry = format_rfc3339(*expiry, 0);
  key.version = std::string(call.request.headers.get_or("x-ms-version", "2021-12-02"));
  key.delegated_tid = wanted.delegated_tid;
  CO_TRY(const std::string value, co_await call.make_delegation_key(key));
  std::string out = "<?xml version=\"1.0\" encoding=\"utf-8\"?><UserDelegationKey>";
  out += element("SignedOid", key.oid) + element("SignedTid", key.tid) +
         element("SignedStart", key.start) + element("SignedExpiry", key.expiry) +
         element("SignedService", key.service) + element("SignedVersion", key.version);
  if (!key.delegated_tid.empty()) out += element("SignedDelegatedUserTid", key.delegated_tid);
  out += element("Value", base64(as_bytes(value))) + "</UserDelegationKey>";
  http::Response response(200, "application/xml", std::move(out));
  response.header("Cache-Control", "no-store");
  co_return response;
}

}  // namespace holdfast::blob
