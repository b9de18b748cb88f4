#include "registry/http/service.h"

#include "registry/http/call.h"

namespace holdfast::registry {
namespace {

constexpr uint64_t kBodyLimit = 64ull << 30;  // one blob

struct Operation {
  Resource resource;
  std::string_view method;
  Answer (*run)(Call&);
};

Answer answer_root(Call&) {
  co_return http::Response(200, "application/json", "{}");
}

// Every operation of the protocol on one screen.
constexpr Operation kOperations[] = {
    {Resource::root, "GET", answer_root},        {Resource::catalog, "GET", list_repositories},
    {Resource::tags, "GET", list_tags},          {Resource::manifest, "GET", get_manifest},
    {Resource::manifest, "PUT", put_manifest},   {Resource::manifest, "DELETE", delete_manifest},
    {Resource::blob, "GET", get_blob},           {Resource::blob, "DELETE", delete_blob},
    {Resource::uploads, "POST", begin_upload},   {Resource::upload, "GET", upload_status},
    {Resource::upload, "PATCH", append_upload},  {Resource::upload, "PUT", finish_upload},
    {Resource::upload, "DELETE", cancel_upload}, {Resource::referrers, "GET", list_referrers},
};

// Clients repeat slashes and end with one in places; the path means the same.
std::vector<std::string_view> parts_of(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return split(path, '/');
}

Answer dispatch(http::Request& request, Registry& registry) {
  Call call(request, registry);
  CO_TRY_VOID(address(call, request.param("address")));
  const bool head = request.method == "HEAD";
  for (const Operation& operation : kOperations) {
    if (operation.resource != call.resource) continue;
    if (operation.method != request.method && !(head && operation.method == "GET")) continue;
    CO_TRY(http::Response response, co_await operation.run(call));
    response.header("Docker-Distribution-API-Version", "registry/2.0");
    co_return response;
  }
  co_return fail(Code::unsupported, request.method + " is not offered here");
}

std::string joined(const std::vector<std::string_view>& parts, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += (i > 0 ? "/" : "") + std::string(parts[i]);
  return out;
}

}  // namespace

Result<void> address(Call& call, std::string_view path) {
  if (path.empty()) return {};
  const auto parts = parts_of(path);
  const size_t count = parts.size();
  if (count == 1 && parts[0] == "_catalog") {
    call.resource = Resource::catalog;
    return {};
  }
  size_t named = 0;
  if (count > 3 && parts[count - 3] == "blobs" && parts[count - 2] == "uploads") {
    call.resource = Resource::upload;
    named = count - 3;
  } else if (count > 2 && parts[count - 2] == "blobs" && parts[count - 1] == "uploads") {
    call.resource = Resource::uploads;
    named = count - 2;
  } else if (count > 2 && parts[count - 2] == "blobs") {
    call.resource = Resource::blob;
    named = count - 2;
  } else if (count > 2 && parts[count - 2] == "manifests") {
    call.resource = Resource::manifest;
    named = count - 2;
  } else if (count > 2 && parts[count - 2] == "referrers") {
    call.resource = Resource::referrers;
    named = count - 2;
  } else if (count > 2 && parts[count - 2] == "tags" && parts[count - 1] == "list") {
    call.resource = Resource::tags;
    named = count - 2;
  } else {
    return fail(Code::not_found, "there is nothing at /v2/" + std::string(path));
  }
  call.name = joined(parts, named);
  call.reference = parts[count - 1];
  return oci::check_name(call.name);
}

std::string location_of(const Call& call, std::string_view kind, std::string_view reference) {
  return "/v2/" + call.name + "/" + std::string(kind) + "/" + std::string(reference);
}

void mount(http::Router& router, Registry& registry) {
  using http::Role;
  const auto run = [&registry](http::Request& request) { return dispatch(request, registry); };
  router.add("GET", "/v2", Role::reader, oci_error, run);
  router.add("GET", "/v2/{address...}", Role::reader, oci_error, run);
  for (const char* method : {"POST", "PATCH", "PUT", "DELETE"})
    router.add(method, "/v2/{address...}", Role::operator_, oci_error, run);
  router.limit_bodies("/v2", kBodyLimit);
}

}  // namespace holdfast::registry
