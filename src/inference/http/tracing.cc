// What the HTTP door notes about a request that is traced.
#include "inference/http/service.h"

namespace holdfast::inference {

RequestTrace* begin_trace(Tracer* tracer, http::Request& request, std::string_view route) {
  if (tracer == nullptr) return nullptr;
  std::string parent, state;
  for (const auto& [name, value] : request.headers) {
    // Two parents are none; a state may come in several lines.
    if (equal_ignore_case(name, "traceparent")) (parent += parent.empty() ? "" : ",") += value;
    if (equal_ignore_case(name, "tracestate")) (state += state.empty() ? "" : ",") += value;
  }
  TracePtr trace = tracer->begin(TracedDoor::http, route, parent, state);
  RequestTrace* const begun = trace.get();
  if (begun == nullptr) return nullptr;
  // A request lives until its response is written, and so does what it holds.
  std::shared_ptr<RequestTrace> held = std::move(trace);
  request.gone = [gone = std::move(request.gone), held] { return gone && gone(); };
  return begun;
}

Task<Result<http::Response>> traced(RequestTrace& trace, Task<Result<http::Response>> work,
                                    const http::Request& request) {
  auto answer = co_await std::move(work);
  if (answer)
    trace.answered(static_cast<int>(answer->status));
  else
    trace.failed(static_cast<int>(oip_error(answer.error(), request).status), answer.error());
  co_return answer;
}

}  // namespace holdfast::inference
