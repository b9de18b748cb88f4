#include "blob/http/operations.h"
#include "blob/http/xml.h"
#include "blob/http/xml_text.h"

namespace holdfast::blob {
namespace {

constexpr uint64_t kPoliciesLimit = 64 << 10;

}  // namespace

Result<std::string> public_access_of(const http::Request& request) {
  std::string level(trim(request.headers.get_or("x-ms-blob-public-access", "")));
  if (!level.empty() && level != "blob" && level != "container")
    return fail(Code::invalid_argument, "invalid_header",
                "x-ms-blob-public-access is blob or container");
  return level;
}

Answer get_container_access(Call& call) {
  CO_TRY(Conditions conditions, conditions_of(call, Use::read));
  CO_TRY(const Access access,
         co_await call.blobs.container_access(call.address.account, call.address.container,
                                              std::move(conditions.lease_id)));
  std::string body = "<?xml version=\"1.0\" encoding=\"utf-8\"?><SignedIdentifiers>";
  for (const Policy& policy : access.policies) {
    body += "<SignedIdentifier>" + element("Id", policy.id) + "<AccessPolicy>";
    if (!policy.start.empty()) body += element("Start", policy.start);
    if (!policy.expiry.empty()) body += element("Expiry", policy.expiry);
    if (!policy.permissions.empty()) body += element("Permission", policy.permissions);
    body += "</AccessPolicy></SignedIdentifier>";
  }
  http::Response response = written(200, access.container);
  response.header("Content-Type", "application/xml");
  if (!access.container.access.empty())
    response.header("x-ms-blob-public-access", access.container.access);
  response.body = body + "</SignedIdentifiers>";
  co_return response;
}

Answer set_container_access(Call& call) {
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  CO_TRY(std::string level, public_access_of(call.request));
  CO_TRY(const std::string body, co_await read_all(*call.request.body, kPoliciesLimit));
  CO_TRY(std::vector<Policy> policies, parse_policies(body));
  CO_TRY(const Info info, co_await call.blobs.set_container_access(
                              call.address.account, call.address.container, std::move(level),
                              std::move(policies), conditions));
  co_return written(200, info);
}

}  // namespace holdfast::blob
