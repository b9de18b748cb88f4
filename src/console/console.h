// The hub's own JSON API: health, status, storage accounts. The console's pages come here too.
#pragma once

#include <functional>
#include <string>

#include "base/clock.h"
#include "identity/accounts.h"
#include "net/http/router.h"

namespace holdfast::console {

struct HubView {
  std::string blob_url;       // "http://127.0.0.1:10000"
  std::string blob_endpoint;  // what accounts' endpoints begin with: that, or the proxy's address
  std::string version;
  WallTime started;
  // Whether an account still has containers: such a one is not deleted.
  std::function<Task<Result<bool>>(std::string account)> has_containers;
};

// GET /healthz, /api/v1/status; /api/v1/storage/accounts… All must outlive the router; `view` is
// read at each call.
void mount(http::Router& router, identity::Accounts& accounts, const HubView& view);

}  // namespace holdfast::console
