#include "registry/http/call.h"

namespace holdfast::registry {
namespace {

http::Response made(const Call& call, const oci::Digest& digest) {
  http::Response response(201);
  response.header("Location", location_of(call, "blobs", digest.str()))
      .header("Docker-Content-Digest", digest.str());
  return response;
}

http::Response under_way(const Call& call, unsigned status, const std::string& id, uint64_t size) {
  http::Response response(status);
  response.header("Location", location_of(call, "blobs/uploads", id))
      .header("Range", "0-" + std::to_string(size > 0 ? size - 1 : 0))
      .header("Docker-Upload-UUID", id);
  return response;
}

// "<first>-<last>" without a unit; nullopt where there is none.
Result<std::optional<uint64_t>> start_of(const http::Request& request) {
  const auto header = request.headers.get("Content-Range");
  if (!header) return std::nullopt;
  const size_t dash = header->find('-');
  const auto first = parse_u64(header->substr(0, dash));
  const auto last =
      dash == std::string_view::npos ? std::nullopt : parse_u64(header->substr(dash + 1));
  if (!first || !last || *last < *first)
    return fail(Code::invalid_argument, "upload_invalid",
                "Content-Range must be FIRST-LAST, both the number of a byte");
  if (request.content_length && *request.content_length != *last - *first + 1)
    return fail(Code::invalid_argument, "size_invalid",
                "Content-Range and Content-Length do not agree");
  return *first;
}

// An error of an upload with where it really stands, so that the client can go on from there.
Answer refused(Call& call, Error error) {
  http::Response response = oci_error(error, call.request);
  const auto size = co_await call.registry.upload_size(call.name, call.reference);
  if (size) {
    const http::Response standing = under_way(call, 416, call.reference, *size);
    for (const auto& [name, value] : standing.headers) response.headers.set(name, value);
  }
  co_return response;
}

}  // namespace

Answer begin_upload(Call& call) {
  if (const auto text = call.request.query_value("mount")) {
    CO_TRY(const oci::Digest digest, oci::Digest::parse(*text));
    std::string from(call.request.query_value("from").value_or(""));
    CO_TRY(const bool mounted,
           co_await call.registry.mount_blob(call.name, digest, std::move(from)));
    if (mounted) co_return made(call, digest);
  } else if (const auto whole = call.request.query_value("digest")) {
    CO_TRY(const oci::Digest digest, oci::Digest::parse(*whole));
    CO_TRY_VOID(co_await call.registry.put_blob(call.name, digest, *call.request.body));
    co_return made(call, digest);
  }
  CO_TRY(const std::string id, co_await call.registry.begin_upload(call.name));
  co_return under_way(call, 202, id, 0);
}

Answer upload_status(Call& call) {
  CO_TRY(const uint64_t size, co_await call.registry.upload_size(call.name, call.reference));
  co_return under_way(call, 204, call.reference, size);
}

Answer append_upload(Call& call) {
  CO_TRY(const auto start, start_of(call.request));
  const auto size =
      co_await call.registry.append_upload(call.name, call.reference, start, *call.request.body);
  if (!size && size.error().reason() == "range_invalid")
    co_return co_await refused(call, size.error());
  if (!size) co_return std::unexpected(size.error());
  co_return under_way(call, 202, call.reference, *size);
}

Answer finish_upload(Call& call) {
  const auto text = call.request.query_value("digest");
  if (!text)
    co_return fail(Code::invalid_argument, "digest_invalid",
                   "an upload is ended by PUT with ?digest=");
  CO_TRY(const oci::Digest digest, oci::Digest::parse(*text));
  CO_TRY(const auto start, start_of(call.request));
  const auto done = co_await call.registry.finish_upload(call.name, call.reference, start, digest,
                                                         *call.request.body);
  if (!done && done.error().reason() == "range_invalid")
    co_return co_await refused(call, done.error());
  if (!done) co_return std::unexpected(done.error());
  co_return made(call, digest);
}

Answer cancel_upload(Call& call) {
  CO_TRY_VOID(co_await call.registry.cancel_upload(call.name, call.reference));
  co_return http::Response(204);
}

}  // namespace holdfast::registry
