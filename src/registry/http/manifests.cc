#include "registry/http/call.h"

namespace holdfast::registry {
namespace {

bool is_digest(const std::string& reference) {
  return reference.find(':') != std::string::npos;
}

}  // namespace

Answer get_manifest(Call& call) {
  if (is_digest(call.reference)) CO_TRY_VOID(oci::Digest::parse(call.reference));
  CO_TRY(StoredManifest stored, co_await call.registry.resolve(call.name, call.reference));
  http::Response response(200, stored.descriptor.media_type, std::move(stored.json));
  response.header("Docker-Content-Digest", stored.descriptor.digest.str());
  co_return response;
}

Answer put_manifest(Call& call) {
  oci::Digest expected;
  Tags tags;
  if (is_digest(call.reference)) {
    CO_TRY(expected, oci::Digest::parse(call.reference));
    for (const auto& [name, value] : call.request.query)
      if (name == "tag") tags.names.push_back(value);
  } else {
    tags.names.push_back(call.reference);
  }
  auto json = co_await read_all(*call.request.body, kManifestLimit);
  if (!json && json.error().code() == Code::too_large)
    co_return fail(Code::too_large, "a manifest has 8 MiB at most");
  if (!json) co_return std::unexpected(json.error());
  std::string type(call.request.headers.get_or("Content-Type", ""));
  // Before the text moves on; a text that is no manifest is refused below.
  std::string subject;
  if (const auto parsed = oci::parse_manifest(*json, type)) {
    const auto& named = parsed->subject;
    if (named) subject = named->digest.str();
  }
  CO_TRY(const oci::Descriptor stored,
         co_await call.registry.put_manifest(call.name, std::move(*json), std::move(type),
                                             std::move(expected), tags));
  http::Response response(201);
  response.header("Location", location_of(call, "manifests", stored.digest.str()))
      .header("Docker-Content-Digest", stored.digest.str());
  if (!subject.empty()) response.header("OCI-Subject", subject);
  if (is_digest(call.reference)) {
    for (const std::string& tag : tags.names) response.headers.add("OCI-Tag", tag);
  }
  co_return response;
}

Answer delete_manifest(Call& call) {
  if (is_digest(call.reference)) CO_TRY_VOID(oci::Digest::parse(call.reference));
  CO_TRY_VOID(co_await call.registry.delete_manifest(call.name, call.reference));
  co_return http::Response(202);
}

}  // namespace holdfast::registry
