#include "inference/route.h"

namespace holdfast::inference {
namespace {

// The model is to blame, not the request.
bool is_fault(const Error& error) {
  return error.code() == Code::internal || error.reason() == kBreakerReason;
}

}  // namespace

Result<Route> find_route(Repository& repository, std::string_view name, int64_t version) {
  Route route;
  TRY(route.loaded, repository.find(name, version));
  route.named = version != 0;
  return route;
}

Task<Result<Route>> route_to(Repository& repository, std::string name, int64_t version) {
  auto found = find_route(repository, name, version);
  if (found || found.error().reason() != kEvictedReason) co_return found;
  Route route;
  CO_TRY(route.loaded, co_await repository.acquire(std::move(name), version));
  route.named = version != 0;
  co_return route;
}

Task<Result<Outputs>> run_routed(Repository& repository, Route& route, const Inputs& inputs,
                                 const std::vector<std::string>& outputs,
                                 const RunOptions& options) {
  auto answer = co_await run_model(repository, *route.loaded, inputs, outputs, options);
  if (answer || route.named || !route.loaded->breaker.options().fall_back ||
      !is_fault(answer.error()))
    co_return answer;
  LoadedPtr other = repository.other_than(*route.loaded);
  if (!other) co_return answer;
  route.loaded = std::move(other);
  co_return co_await run_model(repository, *route.loaded, inputs, outputs, options);
}

}  // namespace holdfast::inference
