// Our own routes over profiles, and what the live requests are beside them.
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "inference/drift/monitor.h"
#include "inference/drift/report_json.h"
#include "inference/http/service.h"

namespace holdfast::inference {
namespace {

namespace json = boost::json;
using Answer = Task<Result<http::Response>>;

http::Response answer(const json::object& value) {
  return http::Response(200, "application/json", json::serialize(value));
}

// off: nothing is watched; none: it has no profile; waiting: no window is full yet.
json::object row_of(const Loaded& loaded, const DriftMonitor* monitor, bool details) {
  const auto profile = loaded.profile.get();
  const DriftStatus status = monitor != nullptr ? monitor->status(loaded) : DriftStatus{};
  json::object out;
  out["model"] = loaded.name;
  out["version"] = std::to_string(loaded.version);
  out["model_digest"] = loaded.digest;
  out["state"] = !profile                ? "none"
                 : monitor == nullptr    ? "off"
                 : !status.event.empty() ? "drifting"
                 : status.last           ? "calm"
                                         : "waiting";
  out["reason"] = loaded.profile.error();
  out["event"] = status.event;
  out["rows"] = status.rows;
  out["windows"] = status.windows;
  if (profile)
    out["profile"] = json::object{{"digest", profile->digest},
                                  {"created", profile->created},
                                  {"rows", profile->rows},
                                  {"sample_rows", profile->sample_rows}};
  if (monitor != nullptr) out["window"] = monitor->options().limits.window;
  if (!status.last) return out;
  const DriftReport& last = *status.last;
  uint64_t over = 0;
  double psi = 0, ks = 0, classes = 0;
  for (const DriftReport::Feature& one : last.features) {
    psi = std::max(psi, one.psi.value);
    ks = std::max(ks, one.ks.value);
    over += one.over() ? 1 : 0;
  }
  for (const DriftReport::Classes& one : last.classes) {
    classes = std::max(classes, one.distance.value);
    over += one.distance.over() ? 1 : 0;
  }
  out["most"] = json::object{{"psi", psi}, {"ks", ks}, {"classes", classes}, {"over", over}};
  if (details) out["last"] = to_json(last);
  return out;
}

Answer list(const Repository& repository, const DriftMonitor* monitor) {
  json::array rows;
  for (const Entry& entry : repository.list()) {
    if (entry.state != "READY") continue;
    if (auto loaded = repository.find(entry.name, entry.version))
      rows.push_back(row_of(**loaded, monitor, false));
  }
  json::object out;
  out["models"] = std::move(rows);
  co_return answer(out);
}

Answer show(Repository& repository, const DriftMonitor* monitor, http::Request& request) {
  CO_TRY(const LoadedPtr loaded, model_of(repository, request));
  co_return answer(row_of(*loaded, monitor, true));
}

Answer put(Repository& repository, const DriftMonitor* monitor, http::Request& request) {
  CO_TRY(const LoadedPtr loaded, co_await demand_model(repository, request));
  CO_TRY(std::string text, co_await read_all(*request.body, kMostProfile));
  CO_TRY_VOID(co_await repository.set_profile(loaded->name, loaded->version, std::move(text)));
  co_return answer(row_of(*loaded, monitor, false));
}

}  // namespace

void mount_drift(http::Router& router, Repository& repository, const ServeOptions& options) {
  using http::Role;
  const DriftMonitor* monitor = options.drift;
  const auto of = [&, monitor](http::Request& request) {
    return show(repository, monitor, request);
  };
  const std::string model = "/api/v1/models/{model}", version = model + "/versions/{version}";
  router.add("GET", "/api/v1/drift", Role::anonymous,
             [&, monitor](http::Request&) { return list(repository, monitor); });
  router.add("GET", model + "/drift", Role::anonymous, of);
  router.add("GET", version + "/drift", Role::anonymous, of);
  router.add("PUT", version + "/profile", options.admin,
             [&, monitor](http::Request& request) { return put(repository, monitor, request); });
}

}  // namespace holdfast::inference
