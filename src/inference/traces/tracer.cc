#include "inference/traces/tracer.h"

#include <algorithm>
#include <cmath>

#include "base/files.h"
#include "base/log.h"

namespace holdfast::inference {
namespace {

uint64_t bound_of(double percent) {
  if (percent >= 100) return UINT64_MAX;
  return static_cast<uint64_t>(std::ldexp(std::max(0.0, percent) / 100, 64));
}

}  // namespace

Result<std::unique_ptr<Tracer>> Tracer::open(TraceOptions options, const Clock& clock) {
  std::shared_ptr<TlsContext> tls;
  if (!options.ca.empty()) {
    TRY(const std::string pem, read_file(options.ca, 1 << 20));
    TRY(tls, TlsContext::client(pem));
  }
  return std::unique_ptr<Tracer>(new Tracer(std::move(options), std::move(tls), clock));
}

Tracer::Tracer(TraceOptions options, std::shared_ptr<TlsContext> tls, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      bound_(bound_of(options_.sample)),
      exporter_(options_, std::move(tls)) {}

TracePtr Tracer::begin(TracedDoor door, std::string_view call, std::string_view parent,
                       std::string_view state, MonoTime start) {
  TracedRequest request;
  auto context = parent.empty() ? std::optional<TraceContext>() : read_trace_context(parent, state);
  if (context) {
    if (!context->sampled()) return nullptr;
    request.flags = context->flags;
    request.trace = context->trace;
    request.parent = context->span;
    request.state = std::move(context->state);
  } else {
    if (bound_ == 0) return nullptr;
    request.trace = new_trace_id();
    if (low_half(request.trace) > bound_) return nullptr;
  }
  request.span = new_span_id();
  request.door = door;
  request.call = call;
  // Not by the clock's own: the parts of the request are measured by this one.
  request.start = start;
  request.started = clock_.now() - (std::chrono::steady_clock::now() - start);
  return std::make_unique<RequestTrace>(*this, std::move(request));
}

RequestTrace::RequestTrace(Tracer& tracer, TracedRequest request)
    : tracer_(tracer), request_(std::move(request)) {
  if (request_.door == TracedDoor::grpc) request_.status = 1;  // CANCELLED, unless it is answered
}

RequestTrace::~RequestTrace() {
  request_.end = std::chrono::steady_clock::now();
  tracer_.exporter_.add(std::move(request_));
}

void RequestTrace::routed(const Loaded& loaded, std::string_view id) {
  request_.model = loaded.name;
  request_.version = loaded.version;
  request_.digest = loaded.digest;
  request_.run = loaded.run;
  request_.engine = loaded.model->platform();
  request_.id = id;
}

void RequestTrace::answered(int status) {
  request_.status = status;
}

void RequestTrace::failed(int status, const Error& error) {
  answered(status);
  request_.error = error.message();
  request_.error_code = to_string(error.code());
}

}  // namespace holdfast::inference
