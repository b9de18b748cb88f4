// One request to the registry, taken apart, and the answers that its handlers share. For http/
// alone.
#pragma once

#include "net/http/router.h"
#include "registry/registry.h"

namespace holdfast::registry {

enum class Resource { root, catalog, tags, manifest, blob, uploads, upload, referrers };

struct Call {
  Call(http::Request& request_, Registry& registry_) : request(request_), registry(registry_) {}
  http::Request& request;
  Registry& registry;
  Resource resource = Resource::root;
  std::string name;       // of the repository
  std::string reference;  // tag, digest or upload id
};
using Answer = Task<Result<http::Response>>;

// Which resource the decoded path below /v2/ is. invalid_argument "name_invalid"; not_found.
Result<void> address(Call& call, std::string_view path);

// The error in the specification's form (errors.cc).
http::Response oci_error(const Error& error, const http::Request& request);

std::string location_of(const Call& call, std::string_view kind, std::string_view reference);
// `n` and `last`; without `n` there are `otherwise`. invalid_argument "pagination_invalid".
struct Paging {
  size_t limit;
  std::string last;
};
Result<Paging> paging_of(const http::Request& request, size_t otherwise);

Answer get_blob(Call& call);
Answer delete_blob(Call& call);
Answer begin_upload(Call& call);
Answer upload_status(Call& call);
Answer append_upload(Call& call);
Answer finish_upload(Call& call);
Answer cancel_upload(Call& call);
Answer get_manifest(Call& call);
Answer put_manifest(Call& call);
Answer delete_manifest(Call& call);
Answer list_tags(Call& call);
Answer list_repositories(Call& call);
Answer list_referrers(Call& call);

}  // namespace holdfast::registry
