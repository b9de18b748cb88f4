#include "blob/http/account.h"

#include "blob/http/address.h"
#include "blob/http/cors.h"
#include "blob/http/operations.h"
#include "blob/http/xml.h"
#include "blob/http/xml_text.h"

namespace holdfast::blob {
namespace {

constexpr uint64_t kPropertiesLimit = 64 << 10;
constexpr std::string_view kDeclaration = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";

}  // namespace

Answer get_account_information(Call&) {
  http::Response response(200);
  response.header("x-ms-sku-name", "Standard_LRS")
      .header("x-ms-account-kind", "StorageV2")
      .header("x-ms-is-hns-enabled", "false");
  co_return response;
}

Answer get_service_properties(Call& call) {
  CO_TRY(const std::string present, co_await call.blobs.service_properties(call.address.account));
  CO_TRY(const std::string document, merge_service_properties(present, ""));
  co_return http::Response(200, "application/xml", std::string(kDeclaration) + document);
}

// The second address is the same data, so it is never behind.
Answer get_service_stats(Call& call) {
  if (!is_secondary(call.request))
    co_return fail(Code::invalid_argument, "invalid_query",
                   "the stats are at the account's secondary address, ACCOUNT-secondary");
  co_return http::Response(200, "application/xml",
                           std::string(kDeclaration) +
                               "<StorageServiceStats><GeoReplication><Status>live</Status>" +
                               element("LastSyncTime", format_http_date(call.blobs.clock().now())) +
                               "</GeoReplication></StorageServiceStats>");
}

Answer set_service_properties(Call& call) {
  CO_TRY(const std::string body, co_await read_all(*call.request.body, kPropertiesLimit));
  if (body.empty())
    co_return fail(Code::invalid_argument, "invalid_xml",
                   "XML specified is not syntactically valid: there is no document");
  CO_TRY_VOID(check_cors(body));
  std::function<Result<ServiceDocument>(const std::string&)> change =
      [body](const std::string& present) -> Result<ServiceDocument> {
    TRY(std::string merged, merge_service_properties(present, body));
    return service_document(std::move(merged));
  };
  CO_TRY_VOID(
      co_await call.blobs.change_service_properties(call.address.account, std::move(change)));
  co_return http::Response(202);
}

}  // namespace holdfast::blob
