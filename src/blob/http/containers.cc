#include "blob/http/operations.h"

namespace holdfast::blob {
namespace {

http::Response container_response(unsigned status, const Info& info, WallTime now) {
  http::Response response = written(status, info);
  add_lease(response, info.lease, now);
  if (!info.access.empty()) response.header("x-ms-blob-public-access", info.access);
  response.header("x-ms-has-immutability-policy", "false").header("x-ms-has-legal-hold", "false");
  add_metadata(response, info.metadata);
  return response;
}

}  // namespace

Answer create_container(Call& call) {
  CO_TRY_VOID(check_container_name(call.address.container));
  CO_TRY(Pairs metadata, metadata_of(call.request));
  CO_TRY(std::string access, public_access_of(call.request));
  CO_TRY(const Info info,
         co_await call.blobs.create_container(call.address.account, call.address.container,
                                              std::move(metadata), std::move(access)));
  co_return written(201, info);
}

Answer get_container(Call& call) {
  CO_TRY(Conditions conditions, conditions_of(call, Use::read));
  CO_TRY(const Info info,
         co_await call.blobs.container(call.address.account, call.address.container,
                                       std::move(conditions.lease_id)));
  co_return container_response(200, info, call.blobs.clock().now());
}

Answer set_container_metadata(Call& call) {
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  CO_TRY(Pairs metadata, metadata_of(call.request));
  CO_TRY(const Info info,
         co_await call.blobs.set_container_metadata(call.address.account, call.address.container,
                                                    std::move(metadata), conditions));
  co_return written(200, info);
}

Answer delete_container(Call& call) {
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  CO_TRY_VOID(co_await call.blobs.delete_container(call.address.account, call.address.container,
                                                   conditions));
  co_return http::Response(202);
}

}  // namespace holdfast::blob
