// The edge's own routes: health, the whole status, metrics.
#pragma once

#include <string>

#include "net/http/router.h"
#include "serve.h"

namespace holdfast {

struct EdgeView {
  std::string device, version;
  WallTime started{};
  const Serve* serve = nullptr;
};

// GET /healthz: {"status":"ok"}
// GET /api/v1/status: {device, version, started, shares, uplink, transforms, answers,
// serve:{address, managed,
//   state, pid, restarts, last_exit}}; the lists are those of /api/v1/shares, uplink, transforms
//   and answers.
// GET /metrics: Prometheus text.
// `view` and `router` must outlive the requests.
void mount_edge(http::Router& router, const EdgeView& view);

}  // namespace holdfast
