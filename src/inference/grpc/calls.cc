// How a request to a model runs, whichever call it came by.
#include <algorithm>

#include "base/log.h"
#include "inference/grpc/door.h"
#include "inference/input.h"
#include "inference/route.h"
#include "inference/stages.h"

namespace holdfast::inference::grpc_door {

Result<void> Door::admit(const grpc::ServerContext& context, bool admin) const {
  if (!options.caller) return {};
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find("authorization");
  std::string_view authorization;
  if (found != metadata.end()) authorization = {found->second.data(), found->second.size()};
  TRY(const http::Principal who, options.caller(authorization));
  if (admin && who.role != "admin")
    return fail(Code::denied,
                "'" + who.name + "' has the role '" + who.role + "', which is not enough for this");
  return {};
}

void Door::enter(LongCall* call) {
  const std::lock_guard lock(mutex_);
  long_calls_.insert(call);
}
void Door::leave(LongCall* call) {
  const std::lock_guard lock(mutex_);
  long_calls_.erase(call);
}
void Door::stop_long_calls() {
  const std::lock_guard lock(mutex_);
  for (LongCall* call : long_calls_) call->stop();
}

Task<Result<void>> guarded(Task<Result<void>> work) {
  Result<void> done = fail(Code::internal, "the request failed inside the server");
  try {
    done = co_await std::move(work);
  } catch (const std::exception& error) {
    log::error("grpc", "a call ended by an exception", {{"error", error.what()}});
  }
  co_return done;
}

TracePtr begin_trace(const Door& door, const grpc::ServerContext& context, std::string_view call) {
  if (door.options.tracer == nullptr) return nullptr;
  const auto& metadata = context.client_metadata();
  const auto text = [&metadata](const char* key) {
    std::string out;
    const auto [from, to] = metadata.equal_range(key);
    for (auto it = from; it != to; ++it)
      (out += out.empty() ? "" : ",") += std::string_view(it->second.data(), it->second.size());
    return out;
  };
  return door.options.tracer->begin(TracedDoor::grpc, call, text("traceparent"),
                                    text("tracestate"));
}

namespace {

Result<void> note(RequestTrace* trace, Result<void> done) {
  if (trace != nullptr && done) trace->answered(0);
  if (trace != nullptr && !done) trace->failed(to_status(done.error()).error_code(), done.error());
  return done;
}

MonoTime deadline_of(const grpc::ServerContext& context, MonoTime start, const Parsed& parsed) {
  MonoTime deadline = MonoTime::max();
  // A client without a deadline sends none, which shows as one at the end of time.
  const auto left = context.deadline() - std::chrono::system_clock::now();
  if (left < std::chrono::hours(24)) deadline = std::chrono::steady_clock::now() + left;
  if (parsed.timeout_us)
    deadline = std::min(deadline, start + std::chrono::microseconds(*parsed.timeout_us));
  return deadline;
}

struct Begun {
  Route route;
  LoadedPtr loaded;  // what was parsed refers to it
  Parsed parsed;
  RunOptions options;
  MonoTime start;
  RunReport report;
};

Result<void> begin(const Asked& asked, Route route, RequestTrace* trace, Begun& begun) {
  begun.start = std::chrono::steady_clock::now();
  begun.loaded = route.loaded;
  begun.route = std::move(route);
  TRY(begun.parsed, parse(asked.request, begun.loaded->accepts));
  begun.options.deadline = deadline_of(asked.context, begun.start, begun.parsed);
  begun.options.priority = begun.parsed.priority;
  begun.options.id = asked.request.id();
  begun.options.abandoned = asked.gone;
  if (begun.parsed.timing || trace) begun.options.report = trace ? trace->report() : &begun.report;
  if (trace) trace->routed(*begun.loaded, asked.request.id());
  return {};
}

bool has_pictures(const Begun& begun) {
  return begun.loaded->pictures && std::ranges::any_of(begun.parsed.inputs, [&](const auto& input) {
           return gives_pictures(input, begun.loaded->accepts);
         });
}

Result<void> finish(const Begun& begun, const Asked& asked, const Outputs& outputs,
                    pb::ModelInferResponse& response, RequestTrace* trace) {
  if (trace && begun.route.loaded != begun.loaded)
    trace->routed(*begun.route.loaded, asked.request.id());
  TRY_VOID(write(*begun.route.loaded, asked.request, begun.parsed, outputs, response));
  if (!begun.parsed.timing) return {};
  for (const auto& [name, us] : stages_until_now(*begun.options.report, begun.start))
    (*response.mutable_parameters())[std::string(name) + "_us"].set_int64_param(us);
  return {};
}

Task<Result<void>> route_and_run(Door& door, const Asked& asked, pb::ModelInferResponse& response,
                                 RequestTrace* trace) {
  Begun begun;
  CO_TRY(const int64_t version, parse_version(asked.request.model_version()));
  CO_TRY(Route route, co_await route_to(door.repository, asked.request.model_name(), version));
  CO_TRY_VOID(begin(asked, std::move(route), trace, begun));
  if (begun.loaded->pictures) {
    CO_TRY_VOID(co_await door.repository.pictures().run(
        *begun.loaded->pictures, begun.loaded->accepts, begun.options.deadline, begun.parsed.inputs,
        begun.parsed.owned));
  }
  CO_TRY(const std::vector<Tensor> outputs,
         co_await run_routed(door.repository, begun.route, begun.parsed.inputs,
                             begun.parsed.outputs, begun.options));
  co_return finish(begun, asked, outputs, response, trace);
}

}  // namespace

Task<Result<void>> infer(Door& door, Asked asked, pb::ModelInferResponse& response,
                         RequestTrace* trace) {
  auto done = co_await guarded(route_and_run(door, asked, response, trace));
  co_return note(trace, std::move(done));
}

std::optional<Result<void>> infer_at_once(Door& door, const Asked& asked,
                                          pb::ModelInferResponse& response, RequestTrace* trace) {
  const auto refuse = [trace](Error why) { return note(trace, std::unexpected(std::move(why))); };
  const auto version = parse_version(asked.request.model_version());
  if (!version) return refuse(version.error());
  auto route = find_quick_route(door.repository, asked.request.model_name(), *version);
  if (!route) return std::nullopt;
  if (!*route) return refuse(std::move(*route).error());
  Begun begun;
  if (auto good = begin(asked, **std::move(route), trace, begun); !good)
    return refuse(std::move(good).error());
  if (has_pictures(begun)) return std::nullopt;
  const auto outputs = run_at_once(door.repository, begun.route, begun.parsed.inputs,
                                   begun.parsed.outputs, begun.options);
  if (!outputs) return std::nullopt;
  if (!*outputs) return refuse(outputs->error());
  return note(trace, finish(begun, asked, **outputs, response, trace));
}

}  // namespace holdfast::inference::grpc_door
