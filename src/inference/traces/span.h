// What is known of one traced request, and its form on the wire: OTLP 1.x
// (https://opentelemetry.io/docs/specs/otlp/, JSON encoding), attributes by OpenTelemetry's
// semantic conventions. Plain types and functions.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "inference/scheduler.h"
#include "inference/traces/context.h"

namespace holdfast::inference {

enum class TracedDoor { http, grpc, local };

struct TracedRequest {
  TraceId trace{};
  SpanId span{};
  std::optional<SpanId> parent;  // the caller's
  std::string state;
  uint8_t flags = 3;  // of W3C Trace Context: recorded, of a random id
  TracedDoor door = TracedDoor::http;
  std::string_view call;  // literal: a route's pattern, or a gRPC method with its service
  WallTime started{};
  MonoTime start{}, end{};
  std::string model, digest, run, engine, id;  // id: the client's
  int64_t version = 0;                         // 0: no model was found
  // Of the answer: an HTTP status, a gRPC status by number; 0 of HTTP: nobody was answered.
  int status = 0;
  std::string error;            // its message; "": none
  std::string_view error_code;  // literal; of the local door
  RunReport report;             // not begun: the request did not come so far
};

// A request's own, and those of its parts: receive, queue, batch, infer.
size_t spans_of(const TracedRequest& request);

using Attributes = std::vector<std::pair<std::string, std::string>>;
// ExportTraceServiceRequest. `resource`: of the server; `version`: of the program.
std::string export_body(const std::vector<TracedRequest>& requests, const Attributes& resource,
                        const std::string& version);

}  // namespace holdfast::inference
