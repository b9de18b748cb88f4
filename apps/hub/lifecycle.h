// The hub's lifecycle rules: the routes behind `holdfast storage lifecycle`.
#pragma once

#include "blob/lifecycle.h"
#include "config.h"
#include "net/http/router.h"

namespace holdfast {

// Those of the account, or of all where it has none of its own.
const blob::LifecycleRules& lifecycle_rules(const HubConfig& config, std::string_view account);

// GET /api/v1/storage/lifecycle, POST /api/v1/storage/lifecycle[?dry_run=true]. All must outlive
// the router.
void mount_lifecycle(http::Router& router, blob::Lifecycle& lifecycle, const HubConfig& config);

}  // namespace holdfast
