// Traces of requests: which are traced, and what a door notes about one that is. A door without a
// tracer does nothing for it; one with a tracer asks begin() once a request.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "inference/traces/exporter.h"

namespace holdfast::inference {

class RequestTrace;
using TracePtr = std::unique_ptr<RequestTrace>;  // null: this request is not traced

// Any thread may call.
class Tracer {
 public:
  // `clock` must outlive it. not_found, invalid_argument: the endpoint's authority (options.ca).
  static Result<std::unique_ptr<Tracer>> open(TraceOptions options, const Clock& clock);

  // Parent-based: a caller's trace is recorded where the caller records it, else this many percent
  // of the requests. `parent` and `state` are the headers of W3C Trace Context; "": there is none.
  // `start`: when the door began with the request.
  TracePtr begin(TracedDoor door, std::string_view call, std::string_view parent,
                 std::string_view state, MonoTime start = std::chrono::steady_clock::now());
  const TraceOptions& options() const { return options_; }
  std::string metrics() const { return exporter_.metrics(); }

 private:
  friend class RequestTrace;
  Tracer(TraceOptions options, std::shared_ptr<TlsContext> tls, const Clock& clock);

  const TraceOptions options_;
  const Clock& clock_;
  const uint64_t bound_;  // an id whose lower half is not over it is sampled
  SpanExporter exporter_;
};

// One request that is traced: its span ends with its life, which the doors let end when the answer
// is written. Any thread may end it, and never waits for it.
class RequestTrace {
 public:
  RequestTrace(Tracer& tracer, TracedRequest request);
  ~RequestTrace();
  RequestTrace(const RequestTrace&) = delete;
  RequestTrace& operator=(const RequestTrace&) = delete;

  void routed(const Loaded& loaded,
              std::string_view id);  // who is to answer; again where it changes
  RunReport* report() { return &request_.report; }
  // `status`: of the door's protocol.
  void answered(int status);
  void failed(int status, const Error& error);

 private:
  Tracer& tracer_;
  TracedRequest request_;
};

}  // namespace holdfast::inference
