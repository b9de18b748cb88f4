// How a call runs: its coroutine on one of the runtime's threads, its answer from there.
#include <algorithm>

#include "base/log.h"
#include "inference/grpc/door.h"
#include "inference/input.h"
#include "inference/route.h"
#include "inference/stages.h"

namespace holdfast::inference::grpc_door {
namespace {

// Owned by itself, until its answer is written.
class UnaryCall final : public grpc::ServerUnaryReactor {
 public:
  explicit UnaryCall(TracePtr trace) : trace_(std::move(trace)) {}
  void start(Door& door, Task<Result<void>> work) {
    door.group.spawn(door.runtime.next_executor(), "grpc call", run(std::move(work)));
  }
  void finish(const Result<void>& done) {  // `this` may be gone after it
    Finish(done ? grpc::Status::OK : to_status(done.error()));
  }
  void OnDone() override { delete this; }

 private:
  Task<void> run(Task<Result<void>> work) {
    const auto done = co_await guarded(std::move(work));
    finish(done);
  }
  const TracePtr trace_;
};

grpc::ServerUnaryReactor* answer(Door& door, Task<Result<void>> work, TracePtr trace) {
  auto* call = new UnaryCall(std::move(trace));
  call->start(door, std::move(work));
  return call;
}

grpc::ServerUnaryReactor* answer(grpc::CallbackServerContext* context, const Result<void>& done,
                                 TracePtr trace) {
  if (!trace) return grpc_door::answer(context, done);
  auto* call = new UnaryCall(std::move(trace));
  call->finish(done);
  return call;
}

MonoTime deadline_of(const grpc::CallbackServerContext& context, MonoTime start,
                     const Parsed& parsed) {
  MonoTime deadline = MonoTime::max();
  // A client without a deadline sends none, which shows as one at the end of time.
  const auto left = context.deadline() - std::chrono::system_clock::now();
  if (left < std::chrono::hours(24)) deadline = std::chrono::steady_clock::now() + left;
  if (parsed.timeout_us)
    deadline = std::min(deadline, start + std::chrono::microseconds(*parsed.timeout_us));
  return deadline;
}

}  // namespace

Result<void> Door::admit(const grpc::CallbackServerContext& context, bool admin) const {
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

grpc::ServerUnaryReactor* answer(Door& door, Task<Result<void>> work) {
  return answer(door, std::move(work), nullptr);
}

grpc::ServerUnaryReactor* answer(grpc::CallbackServerContext* context, const Result<void>& done) {
  auto* reactor = context->DefaultReactor();
  reactor->Finish(done ? grpc::Status::OK : to_status(done.error()));
  return reactor;
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

namespace {

constexpr std::string_view kUnary = "inference.GRPCInferenceService/ModelInfer",
                           kStream = "inference.GRPCInferenceService/ModelStreamInfer";

TracePtr begin_trace(const Door& door, const grpc::CallbackServerContext& context,
                     std::string_view call) {
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

void note(RequestTrace* trace, const Result<void>& done) {
  if (trace == nullptr) return;
  if (done)
    trace->answered(0);
  else
    trace->failed(to_status(done.error()).error_code(), done.error());
}

struct Begun {
  Route route;
  LoadedPtr loaded;  // what was parsed refers to it
  Parsed parsed;
  RunOptions options;
  MonoTime start;
};

Result<Begun> begin(const grpc::CallbackServerContext& context,
                    const pb::ModelInferRequest& request, Route route, RequestTrace* trace) {
  const MonoTime start = std::chrono::steady_clock::now();
  Begun begun;
  begun.loaded = route.loaded;
  begun.route = std::move(route);
  TRY(begun.parsed, parse(request, begun.loaded->accepts));
  begun.options.deadline = deadline_of(context, start, begun.parsed);
  begun.options.priority = begun.parsed.priority;
  begun.options.id = request.id();
  begun.start = start;
  begun.options.abandoned = [&context] { return context.IsCancelled(); };
  if (trace) trace->routed(*begun.loaded, request.id());
  return begun;
}

bool has_pictures(const Begun& begun) {
  return begun.loaded->pictures && std::ranges::any_of(begun.parsed.inputs, [&](const auto& input) {
           return gives_pictures(input, begun.loaded->accepts);
         });
}

Task<Result<void>> finish(Door& door, Begun begun, const pb::ModelInferRequest& request,
                          pb::ModelInferResponse& response, RequestTrace* trace) {
  RunReport own;
  RunReport& report = trace ? *trace->report() : own;
  if (begun.parsed.timing || trace) begun.options.report = &report;
  if (begun.loaded->pictures) {
    CO_TRY_VOID(co_await door.repository.pictures().run(
        *begun.loaded->pictures, begun.loaded->accepts, begun.options.deadline, begun.parsed.inputs,
        begun.parsed.owned));
  }
  CO_TRY(const std::vector<Tensor> outputs,
         co_await run_routed(door.repository, begun.route, begun.parsed.inputs,
                             begun.parsed.outputs, begun.options));
  if (trace && begun.route.loaded != begun.loaded) trace->routed(*begun.route.loaded, request.id());
  CO_TRY_VOID(write(*begun.route.loaded, request, begun.parsed, outputs, response));
  if (!begun.parsed.timing) co_return Result<void>();
  for (const auto& [name, us] : stages_until_now(report, begun.start))
    (*response.mutable_parameters())[std::string(name) + "_us"].set_int64_param(us);
  co_return Result<void>();
}

Task<Result<void>> route_and_run(Door& door, const grpc::CallbackServerContext& context,
                                 const pb::ModelInferRequest& request,
                                 pb::ModelInferResponse& response, RequestTrace* trace) {
  CO_TRY(const int64_t version, parse_version(request.model_version()));
  CO_TRY(Route route, co_await route_to(door.repository, request.model_name(), version));
  CO_TRY(Begun begun, begin(context, request, std::move(route), trace));
  co_return co_await finish(door, std::move(begun), request, response, trace);
}

Task<Result<void>> traced(RequestTrace* trace, Task<Result<void>> work) {
  auto done = co_await guarded(std::move(work));
  note(trace, done);
  co_return done;
}

}  // namespace

Task<Result<void>> infer(Door& door, const grpc::CallbackServerContext& context,
                         const pb::ModelInferRequest& request, pb::ModelInferResponse& response,
                         TracePtr& trace) {
  trace = begin_trace(door, context, kStream);
  auto work = route_and_run(door, context, request, response, trace.get());
  return trace ? traced(trace.get(), std::move(work)) : std::move(work);
}

grpc::ServerUnaryReactor* answer_infer(Door& door, grpc::CallbackServerContext* context,
                                       const pb::ModelInferRequest* request,
                                       pb::ModelInferResponse* response) {
  TracePtr trace = begin_trace(door, *context, kUnary);
  const auto refuse = [&](Error why) {
    const Result<void> done = std::unexpected(std::move(why));
    note(trace.get(), done);
    return answer(context, done, std::move(trace));
  };
  const auto version = parse_version(request->model_version());
  if (!version) return refuse(version.error());
  auto route = find_route(door.repository, request->model_name(), *version);
  if (!route && route.error().reason() == kEvictedReason) {
    auto run = route_and_run(door, *context, *request, *response, trace.get());
    auto work = trace ? traced(trace.get(), std::move(run)) : std::move(run);
    return answer(door, std::move(work), std::move(trace));
  }
  if (!route) return refuse(std::move(route).error());
  auto begun = begin(*context, *request, std::move(*route), trace.get());
  if (!begun) return refuse(std::move(begun).error());
  const bool quick = !begun->route.trial && !has_pictures(*begun) &&
                     is_quick(*begun->loaded, begun->parsed.inputs);
  auto run = finish(door, std::move(*begun), *request, *response, trace.get());
  auto work = trace ? traced(trace.get(), std::move(run)) : std::move(run);
  // Another thread would cost more than the run.
  if (quick) return answer(context, run_task(guarded(std::move(work))), std::move(trace));
  return answer(door, std::move(work), std::move(trace));
}

}  // namespace holdfast::inference::grpc_door
