#include "inference/classification.h"
#include "inference/http/codec.h"
#include "inference/http/content_coding.h"
#include "inference/http/known_header.h"
#include "inference/http/service.h"
#include "inference/input.h"
#include "inference/route.h"

namespace holdfast::inference {
namespace {

// A request as it was parsed, for the model that it is routed to.
struct Begun {
  const MonoTime start = std::chrono::steady_clock::now();
  Route route;
  LoadedPtr loaded;  // what was parsed refers to it
  InferRequest parsed;
  std::vector<std::string> wanted;
  RunOptions options;
  RunReport report;
};

// Where the JSON before binary data ends; 0: there is none of it. nullopt: all is JSON.
Result<std::optional<uint64_t>> json_size_of(const http::Request& request) {
  if (const auto header = request.headers.get("Inference-Header-Content-Length")) {
    const auto size = parse_u64(trim(*header));
    if (!size)
      return fail(Code::invalid_argument, "Inference-Header-Content-Length is not a number");
    return size;
  }
  // A picture by itself, as any client can send it.
  if (trim(request.headers.get_or("Content-Type", "")).starts_with("image/")) return 0;
  return std::nullopt;
}

// `body` must stay.
Result<void> begin(const http::Request& request, std::string_view body,
                   std::optional<uint64_t> json_size, Route route, RequestTrace* trace,
                   Begun& begun) {
  begun.loaded = route.loaded;
  begun.route = std::move(route);
  InferRequest& parsed = begun.parsed;
  TRY(parsed, parse_known(begun.loaded, body, json_size));
  begun.wanted.reserve(parsed.outputs.size());
  for (const RequestedOutput& output : parsed.outputs) begun.wanted.push_back(output.name);
  TRY(begun.options, run_options(request, begun.start, parsed.timeout_us, parsed.priority));
  if (request.headers.get_or("Holdfast-Timing", "") == "1") parsed.timing = true;
  if (parsed.timing || trace) begun.options.report = trace ? trace->report() : &begun.report;
  begun.options.id = parsed.id;
  if (trace) trace->routed(*begun.loaded, parsed.id);
  return {};
}

Result<http::Response> finish(Begun& begun, Outputs outputs, RequestTrace* trace) {
  InferRequest& parsed = begun.parsed;
  const Loaded& answered = *begun.route.loaded;
  if (trace && begun.route.loaded != begun.loaded) trace->routed(answered, parsed.id);
  for (size_t i = 0; i < parsed.outputs.size(); ++i) {
    if (parsed.outputs[i].classes == 0) continue;
    TRY(outputs[i], classify(outputs[i], parsed.outputs[i].classes));
  }
  if (parsed.timing) parsed.stages = stages_until_now(*begun.options.report, begun.start);
  TRY(InferBody answer, write_infer(answered, parsed, outputs, true));
  http::Response response(200, answer.json_size ? "application/octet-stream" : "application/json",
                          std::move(answer.bytes));
  if (answer.tail) response.tail = std::move(outputs[*answer.tail].data);
  if (answer.json_size)
    response.header("Inference-Header-Content-Length", std::to_string(*answer.json_size));
  name_model(answered, response);
  if (parsed.timing)
    response.header("Server-Timing",
                    server_timing(stages_until_now(*begun.options.report, begun.start)));
  return response;
}

std::string_view coding_of(const http::Request& request) {
  return wanted_coding(request.headers.get_or("Accept-Encoding", ""));
}

Result<void> pack(std::string_view coding, http::Response& response) {
  constexpr size_t kWorth = 1 << 10;  // bytes
  auto& text = std::get<std::string>(response.body);
  if (coding.empty() || text.size() + response.tail.size() < kWorth) return {};
  TRY(text, compress(coding, text, response.tail));
  response.tail.clear();
  response.header("Content-Encoding", coding);
  return {};
}

Task<Result<http::Response>> infer(Repository& repository, BodyMemory& memory,
                                   http::Request& request, RequestTrace* trace) {
  Begun begun;
  CO_TRY(const int64_t version, parse_version(request.param("version")));
  CO_TRY(Route route, co_await route_to(repository, std::string(request.param("model")), version));
  CO_TRY(const auto json_size, json_size_of(request));
  CO_TRY(Body body, co_await read_body(request, memory, json_size.value_or(0)));
  CO_TRY_VOID(begin(request, body.text(), json_size, std::move(route), trace, begun));
  CO_TRY_VOID(body.share.grow(memory_of(begun.parsed)));
  if (begun.loaded->pictures) {
    CO_TRY_VOID(co_await repository.pictures().run(*begun.loaded->pictures, begun.loaded->accepts,
                                                   begun.options.deadline, begun.parsed.inputs,
                                                   begun.parsed.owned));
  }
  CO_TRY(Outputs outputs, co_await run_routed(repository, begun.route, begun.parsed.inputs,
                                              begun.wanted, begun.options));
  CO_TRY(http::Response answer, finish(begun, std::move(outputs), trace));
  CO_TRY_VOID(pack(coding_of(request), answer));
  co_return answer;
}

std::optional<Result<http::Response>> infer_at_once(Repository& repository,
                                                    const http::Request& request,
                                                    std::string_view body) {
  if (request.headers.get("Content-Encoding") || !coding_of(request).empty()) return std::nullopt;
  Begun begun;
  TRY(const int64_t version, parse_version(request.param("version")));
  auto found = find_quick_route(repository, request.param("model"), version);
  if (!found) return std::nullopt;
  TRY(Route route, *std::move(found));
  if (route.loaded->pictures) return std::nullopt;
  TRY(const auto json_size, json_size_of(request));
  TRY_VOID(begin(request, body, json_size, std::move(route), nullptr, begun));
  auto outputs =
      run_at_once(repository, begun.route, begun.parsed.inputs, begun.wanted, begun.options);
  if (!outputs) return std::nullopt;
  TRY(Outputs done, *std::move(outputs));
  return finish(begun, std::move(done), nullptr);
}

}  // namespace

void name_model(const Loaded& loaded, http::Response& response) {
  response.header("Holdfast-Model-Digest", loaded.digest);
  if (!loaded.run.empty()) response.header("Holdfast-Model-Run", percent_encode(loaded.run));
}

http::Response oip_error(const Error& error, const http::Request&) {
  unsigned status = http::status_of(error.code());
  if (error.code() == Code::timed_out) status = 504;
  if (error.reason() == "encoding") status = 415;
  if (error.reason() == "slow_body") status = 408;
  if (error.reason() == "queue_full") status = 429;
  http::Response response(status, "application/json",
                          "{\"error\":" + json_text(error.message()) + "}");
  if (error.code() == Code::unauthenticated) response.header("WWW-Authenticate", "Bearer");
  // Whole seconds are all that the header can say; a queue empties sooner.
  if (error.code() == Code::unavailable) response.header("Retry-After", "1");
  return response;
}

Result<RunOptions> run_options(const http::Request& request, MonoTime start, uint64_t timeout_us,
                               unsigned priority) {
  constexpr uint64_t kLongest = 24ull * 3600 * 1'000'000;  // a later deadline is none
  RunOptions options;
  options.priority = priority;
  options.abandoned = request.gone;
  uint64_t us = timeout_us > 0 ? std::min(timeout_us, kLongest) : kLongest;
  if (const auto header = request.headers.get("Holdfast-Timeout-Ms")) {
    const auto ms = parse_u64(trim(*header));
    if (!ms || *ms == 0)
      return fail(Code::invalid_argument, "Holdfast-Timeout-Ms is not a number from 1");
    us = std::min(us, std::min(*ms, kLongest) * 1000);
  }
  if (us < kLongest) options.deadline = start + std::chrono::microseconds(us);
  return options;
}

Task<Result<LoadedPtr>> demand_model(Repository& repository, const http::Request& request) {
  auto found = model_of(repository, request);
  if (found || found.error().reason() != kEvictedReason) co_return found;
  CO_TRY(const int64_t version, parse_version(request.param("version")));
  co_return co_await repository.acquire(std::string(request.param("model")), version);
}

Result<LoadedPtr> model_of(Repository& repository, const http::Request& request) {
  TRY(const int64_t version, parse_version(request.param("version")));
  return repository.find(request.param("model"), version);
}

void mount_infer(http::Router& router, Repository& repository, const ServeOptions& options) {
  for (const char* route :
       {"/v2/models/{model}/infer", "/v2/models/{model}/versions/{version}/infer"}) {
    const auto handler = [&repository, memory = options.bodies, tracer = options.tracer,
                          route](http::Request& request) {
      RequestTrace* const trace = begin_trace(tracer, request, route);
      auto work = infer(repository, *memory, request, trace);
      return trace ? traced(*trace, std::move(work), request) : std::move(work);
    };
    const auto at_once = [&repository](http::Request& request, std::string_view body) {
      return infer_at_once(repository, request, body);
    };
    router.add("POST", route, http::Role::anonymous, handler,
               options.tracer ? http::AtOnce() : at_once);
  }
}

void mount(http::Router& router, Repository& repository, const ServeOptions& options) {
  mount_infer(router, repository, options);
  mount_statistics(router, repository, options);  // before models: "stats" is none's name there
  mount_models(router, repository, options);
  mount_activation(router, repository, options);
  mount_life(router, repository, options);
  mount_tuning(router, repository, options);
  mount_trials(router, repository, options);
  mount_drift(router, repository, options);
  mount_score(router, repository, options);
  mount_openapi(router, repository, options);
  mount_control(router, repository, options);
}

}  // namespace holdfast::inference
