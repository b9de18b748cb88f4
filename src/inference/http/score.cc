// Azure ML's scoring door: POST /score. ?model= names the model; without it there must be one.
#include "inference/http/codec.h"
#include "inference/http/service.h"
#include "inference/route.h"

namespace holdfast::inference {
namespace {

Task<Result<http::Response>> score(Repository& repository, BodyMemory& memory,
                                   http::Request& request, RequestTrace* trace) {
  const MonoTime start = std::chrono::steady_clock::now();
  CO_TRY(Body body, co_await read_body(request, memory));
  CO_TRY(std::string name, scored_model(repository, request));
  CO_TRY(Route route, co_await route_to(repository, std::move(name), 0));
  const LoadedPtr loaded = route.loaded;  // what was parsed refers to it
  CO_TRY(const InferRequest parsed, parse_rows(body.text(), loaded->model->signature()));
  CO_TRY_VOID(body.share.grow(memory_of(parsed)));
  const std::vector<std::string> all;
  CO_TRY(RunOptions options, run_options(request, start, 0, 0));
  if (trace) {
    trace->routed(*loaded, "");
    options.report = trace->report();
  }
  CO_TRY(const std::vector<Tensor> outputs,
         co_await run_routed(repository, route, parsed.inputs, all, options));
  if (trace && route.loaded != loaded) trace->routed(*route.loaded, "");
  CO_TRY(std::string answer, write_rows(outputs));
  http::Response response(200, "application/json", std::move(answer));
  name_model(*route.loaded, response);
  response.header("azureml-model-deployment",
                  loaded->name + "-" + std::to_string(route.loaded->version));
  co_return response;
}

}  // namespace

Result<std::string> scored_model(const Repository& repository, const http::Request& request) {
  if (const auto name = request.query_value("model")) return std::string(*name);
  std::string only;
  for (const Entry& entry : repository.list()) {
    if (!entry.current) continue;
    if (!only.empty())
      return fail(Code::invalid_argument,
                  "there are several models; name one: " + request.path + "?model=" + only);
    only = entry.name;
  }
  if (only.empty()) return fail(Code::not_found, "no model is loaded");
  return only;
}

void mount_score(http::Router& router, Repository& repository, const ServeOptions& options) {
  const auto handler = [&repository, memory = options.bodies,
                        tracer = options.tracer](http::Request& request) {
    RequestTrace* const trace = begin_trace(tracer, request, "/score");
    auto work = score(repository, *memory, request, trace);
    return trace ? traced(*trace, std::move(work), request) : std::move(work);
  };
  router.add("POST", "/score", http::Role::anonymous, handler);
  router.add("GET", "/", http::Role::anonymous, [](http::Request&) -> Task<Result<http::Response>> {
    co_return http::Response(200, "text/plain", "Healthy");
  });
}

}  // namespace holdfast::inference
