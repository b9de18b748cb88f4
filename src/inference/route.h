// Which version answers a request: the one that it names, else the current one, a share of them the
// candidate of a trial, and another where that one fails.
#pragma once

#include <optional>

#include "inference/run.h"

namespace holdfast::inference {

struct Route {
  LoadedPtr loaded;
  bool named = false;      // by the request: nothing else may answer
  TrialPtr trial;          // null: none runs
  LoadedPtr other;         // of the trial: the one that is not `loaded`
  bool candidate = false;  // `loaded` is the trial's
};

// The errors of Repository::acquire(); loads what is evicted.
Task<Result<Route>> route_to(Repository& repository, std::string name, int64_t version);
// The same at once; unavailable with kEvictedReason where it must be loaded first.
Result<Route> find_route(Repository& repository, std::string_view name, int64_t version);
// The same for run_at_once(); nullopt: no request of it would run at once.
std::optional<Result<Route>> find_quick_route(Repository& repository, std::string_view name,
                                              int64_t version);

// run_model() on the route. `route.loaded` is then the version that answered, of the same
// signature. A request that the candidate failed is run on the current one: it costs no caller an
// answer. What is shadowed is run on the other one too, later.
Task<Result<Outputs>> run_routed(Repository& repository, Route& route, const Inputs& inputs,
                                 const std::vector<std::string>& outputs,
                                 const RunOptions& options);

// The same at once; nullopt: it can not, or would hold up this thread.
std::optional<Result<Outputs>> run_at_once(Repository& repository, const Route& route,
                                           const Inputs& inputs,
                                           const std::vector<std::string>& outputs,
                                           const RunOptions& options);

}  // namespace holdfast::inference
