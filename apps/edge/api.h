// The edge's own routes: health, the whole status, metrics.
#pragma once

#include <boost/json/object.hpp>

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

// What the hub's people see of this edge: {"files": {TRANSFORM: {…, "last": {…}}}, "queues":
// {SHARE: {…}}}, small enough for a twin. Both must outlive the task.
Task<Result<boost::json::object>> edge_summary(const http::Router& router, const EdgeView& view);

}  // namespace holdfast
