// The registry's protocol on a router: /v2/… Source: OCI distribution-spec 1.1, and `_catalog` of
// the Docker Registry HTTP API V2, which clients still ask for.
#pragma once

#include "net/http/router.h"
#include "registry/registry.h"

namespace holdfast::registry {

// Readers pull; operators and admins push and delete. Also lifts the router's limit of bodies under
// /v2. `registry` must outlive the router.
void mount(http::Router& router, Registry& registry);

}  // namespace holdfast::registry
