#include "inference/traces/span.h"

#include <array>

#include "base/bytes.h"
#include "inference/http/codec.h"

namespace holdfast::inference {
namespace {

// Numbers of the protocol: enums are numbers in OTLP's JSON.
constexpr int kInternal = 1, kServer = 2, kError = 2;

constexpr std::array<std::string_view, 17> kGrpcNames = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

std::string_view grpc_name(int status) {
  return kGrpcNames.at(status < 0 || status > 16 ? 2 : static_cast<size_t>(status));
}

// The server is to blame, as the conventions draw the line: a caller's own mistake is no error of
// the server's span.
bool is_error(const TracedRequest& request) {
  switch (request.door) {
    case TracedDoor::http:
      return request.status == 0 || request.status >= 500;
    case TracedDoor::grpc:
      return request.status == 2 || request.status == 4 ||
             (request.status >= 12 && request.status <= 15);
    case TracedDoor::local:
      break;
  }
  return request.error_code == "internal" || request.error_code == "unavailable" ||
         request.error_code == "timed_out";
}

template <size_t n>
std::string id_text(const std::array<uint8_t, n>& id) {
  return hex(std::as_bytes(std::span(id)));
}

// The attributes of one object, which begins with the first and ends with it.
class AttributeList {
 public:
  void text(std::string_view key, std::string_view value) {
    open(key);
    (((out += R"("stringValue":)") += json_text(value)) += "}}");
  }
  void number(std::string_view key, int64_t value) {
    open(key);
    (((out += R"("intValue":")") += std::to_string(value)) += "\"}}");
  }
  std::string out;

 private:
  void open(std::string_view key) {
    if (!out.empty()) out += ',';
    (((out += R"({"key":)") += json_text(key)) += R"(,"value":{)");
  }
};

// One request's spans. Its own clock is the wall's at its beginning, then the monotonic one.
class Spans {
 public:
  Spans(const TracedRequest& request, std::string& out) : request_(request), out_(out) {}

  void write(SpanId id, const std::optional<SpanId>& parent, std::string_view name, int kind,
             MonoTime from, MonoTime to, const AttributeList& attributes, bool failed) {
    if (!first_) out_ += ',';
    first_ = false;
    (((out_ += R"({"traceId":")") += id_text(request_.trace)) += R"(","spanId":")") += id_text(id);
    if (parent) (out_ += R"(","parentSpanId":")") += id_text(*parent);
    out_ += '"';
    if (!request_.state.empty()) (out_ += R"(,"traceState":)") += json_text(request_.state);
    ((out_ += R"(,"name":)") += json_text(name)) += R"(,"kind":)" + std::to_string(kind);
    ((out_ += R"(,"startTimeUnixNano":")") += wall(from)) += R"(","endTimeUnixNano":")";
    (out_ += wall(to < from ? from : to)) += '"';
    if (!attributes.out.empty()) ((out_ += R"(,"attributes":[)") += attributes.out) += ']';
    // 256: whether it has a remote parent is told; 512: it has.
    const bool remote = kind == kServer && parent;
    out_ += R"(,"flags":)" + std::to_string(request_.flags | 256 | (remote ? 512 : 0));
    if (failed)
      (out_ += R"(,"status":{"code":)" + std::to_string(kError) + R"(,"message":)") +=
          json_text(std::string_view(request_.error).substr(0, 1024)) + "}";
    out_ += '}';
  }

 private:
  std::string wall(MonoTime time) const {
    return std::to_string((request_.started + (time - request_.start)).time_since_epoch().count());
  }
  const TracedRequest& request_;
  std::string& out_;
  bool first_ = true;
};

AttributeList attributes_of(const TracedRequest& request) {
  AttributeList out;
  switch (request.door) {
    case TracedDoor::http:
      out.text("http.request.method", "POST");
      out.text("http.route", request.call);
      if (request.status > 0) out.number("http.response.status_code", request.status);
      if (request.status >= 400) out.text("error.type", std::to_string(request.status));
      break;
    case TracedDoor::grpc:
      out.text("rpc.system.name", "grpc");
      out.text("rpc.method", request.call);
      out.text("rpc.response.status_code", grpc_name(request.status));
      if (request.status != 0) out.text("error.type", grpc_name(request.status));
      break;
    case TracedDoor::local:
      if (!request.error_code.empty()) out.text("error.type", request.error_code);
      break;
  }
  if (request.version > 0) {
    out.text("holdfast.model.name", request.model);
    out.text("holdfast.model.version", std::to_string(request.version));
    out.text("holdfast.model.digest", request.digest);
    if (!request.run.empty()) out.text("holdfast.model.run", request.run);
  }
  if (!request.id.empty()) out.text("holdfast.request.id", request.id);
  return out;
}

void append(std::string& out, const TracedRequest& request) {
  Spans spans(request, out);
  const RunReport& run = request.report;
  const std::string name =
      (request.door == TracedDoor::http ? "POST " : "") + std::string(request.call);
  spans.write(request.span, request.parent, name, kServer, request.start, request.end,
              attributes_of(request), is_error(request));
  if (run.begun == MonoTime()) return;
  const AttributeList none;
  spans.write(new_span_id(), request.span, "receive", kInternal, request.start, run.begun, none,
              false);
  const auto ns = [](int64_t count) { return std::chrono::nanoseconds(count); };
  const Timing& timing = run.timing;
  // What never ran, waited to its end.
  if (timing.queue > 0 || run.merged == 0)
    spans.write(new_span_id(), request.span, "queue", kInternal, run.begun,
                run.begun + ns(run.merged > 0 ? timing.queue : timing.request), none,
                run.merged == 0);
  if (run.merged == 0) return;
  const SpanId batch = new_span_id();
  const auto computing = run.ran + ns(timing.input), computed = computing + ns(timing.infer);
  AttributeList merged, engine;
  merged.number("holdfast.batch.requests", static_cast<int64_t>(run.merged));
  engine.text("holdfast.engine", request.engine);
  spans.write(batch, request.span, "batch", kInternal, run.ran, computed + ns(timing.output),
              merged, false);
  spans.write(new_span_id(), batch, "infer", kInternal, computing, computed, engine, !run.answered);
}

}  // namespace

size_t spans_of(const TracedRequest& request) {
  const RunReport& run = request.report;
  if (run.begun == MonoTime()) return 1;
  if (run.merged == 0) return 3;
  return run.timing.queue > 0 ? 5 : 4;
}

std::string export_body(const std::vector<TracedRequest>& requests, const Attributes& resource,
                        const std::string& version) {
  AttributeList of;
  for (const auto& [key, value] : resource) of.text(key, value);
  std::string out = R"({"resourceSpans":[{"resource":{"attributes":[)" + of.out +
                    R"(]},"scopeSpans":[{"scope":{"name":"holdfast.inference","version":)" +
                    json_text(version) + R"(},"spans":[)";
  for (size_t i = 0; i < requests.size(); ++i) {
    if (i > 0) out += ',';
    append(out, requests[i]);
  }
  return out + "]}]}]}";
}

}  // namespace holdfast::inference
