#include "inference/route.h"

#include "base/log.h"

namespace holdfast::inference {
namespace {

// The model is to blame, not the request.
bool is_fault(const Error& error) {
  return error.code() == Code::internal || error.reason() == kBreakerReason;
}

// Gives the request its place in the trial of the model, where one runs. unavailable with
// kEvictedReason: its candidate made room for others, and this request needs it.
Result<void> place(Repository& repository, Route& route) {
  const std::string& name = route.loaded->name;
  TrialPtr trial = repository.trials().running(name, route.loaded->version);
  if (!trial) return {};
  const bool picked = trial->picks_candidate();
  auto candidate = repository.find(name, trial->spec().version);
  if (!candidate && candidate.error().reason() == kEvictedReason &&
      (picked || trial->spec().shadow > 0))
    return std::unexpected(std::move(candidate).error());
  if (!candidate) return {};
  route.trial = std::move(trial);
  route.other = std::move(*candidate);
  route.candidate = picked;
  if (route.candidate) std::swap(route.loaded, route.other);
  return {};
}

// Loads the candidate of a trial where it is evicted. Where that fails the request goes without.
Task<void> load_candidate(Repository& repository, std::string name) {
  const int64_t version = repository.trials().candidate(name);
  if (version == 0) co_return;
  if (auto loaded = co_await repository.acquire(std::move(name), version); !loaded)
    log::debug("inference", "a candidate is not loaded again",
               {{"error", loaded.error().message()}});
}

void shadow(Repository& repository, const Route& route, const Inputs& inputs,
            const std::vector<std::string>& outputs, const Outputs& answered) {
  // The trial and what it compares live as long as the job does.
  auto done = [&repository, trial = route.trial,
               candidate = route.candidate ? route.loaded : route.other] {
    repository.trials().review(candidate->name, trial, *candidate);
  };
  if (!repository.trials().shadow().submit(route.trial, route.other, !route.candidate, inputs,
                                           outputs, answered, std::move(done)))
    route.trial->dropped();
}

Task<Result<Outputs>> run_in_trial(Repository& repository, Route& route, const Inputs& inputs,
                                   const std::vector<std::string>& outputs,
                                   const RunOptions& options) {
  Trial& trial = *route.trial;
  const LoadedPtr candidate = route.candidate ? route.loaded : route.other;
  const bool shadowed = trial.picks_shadow();
  RunReport report;
  RunOptions timed = options;
  if (timed.report == nullptr) timed.report = &report;
  auto answer = co_await run_model(repository, *route.loaded, inputs, outputs, timed);
  const bool refused =
      !answer && (is_fault(answer.error()) || answer.error().code() == Code::invalid_argument);
  if (route.candidate && refused) {
    std::swap(route.loaded, route.other);
    route.candidate = false;
    answer = co_await run_model(repository, *route.loaded, inputs, outputs, options);
    // Where both refuse, it is the request.
    if (answer) trial.failed(true);
  } else if (answer) {
    trial.succeeded(route.candidate, timed.report->timing.infer);
    if (shadowed) shadow(repository, route, inputs, outputs, *answer);
  } else if (is_fault(answer.error())) {
    trial.failed(route.candidate);
  }
  repository.trials().review(candidate->name, route.trial, *candidate);
  co_return answer;
}

}  // namespace

Result<Route> find_route(Repository& repository, std::string_view name, int64_t version) {
  Route route;
  TRY(route.loaded, repository.find(name, version));
  route.named = version != 0;
  if (!route.named) {
    TRY_VOID(place(repository, route));
  }
  return route;
}

std::optional<Result<Route>> find_quick_route(Repository& repository, std::string_view name,
                                              int64_t version) {
  auto route = find_route(repository, name, version);
  if (!route && route.error().reason() == kEvictedReason) return std::nullopt;
  if (route && (route->trial || !may_be_quick(*route->loaded))) return std::nullopt;
  return route;
}

Task<Result<Route>> route_to(Repository& repository, std::string name, int64_t version) {
  auto found = find_route(repository, name, version);
  if (found || found.error().reason() != kEvictedReason) co_return found;
  Route route;
  CO_TRY(route.loaded, co_await repository.acquire(name, version));
  route.named = version != 0;
  if (route.named) co_return route;
  co_await load_candidate(repository, name);
  if (!place(repository, route)) route.trial.reset();
  co_return route;
}

Task<Result<Outputs>> run_routed(Repository& repository, Route& route, const Inputs& inputs,
                                 const std::vector<std::string>& outputs,
                                 const RunOptions& options) {
  if (route.trial) co_return co_await run_in_trial(repository, route, inputs, outputs, options);
  auto answer = co_await run_model(repository, *route.loaded, inputs, outputs, options);
  if (answer || route.named || !route.loaded->breaker.options().fall_back ||
      !is_fault(answer.error()))
    co_return answer;
  LoadedPtr other = repository.other_than(*route.loaded);
  if (!other) co_return answer;
  route.loaded = std::move(other);
  co_return co_await run_model(repository, *route.loaded, inputs, outputs, options);
}

std::optional<Result<Outputs>> run_at_once(Repository& repository, const Route& route,
                                           const Inputs& inputs,
                                           const std::vector<std::string>& outputs,
                                           const RunOptions& options) {
  const bool may_go_on = !route.named && route.loaded->breaker.options().fall_back;
  if (route.trial || may_go_on || !is_quick(*route.loaded, inputs)) return std::nullopt;
  return run_quick(repository, *route.loaded, inputs, outputs, options);
}

}  // namespace holdfast::inference
