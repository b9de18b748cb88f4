// Our own routes over trials of candidate versions, and what /metrics says of them.
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>

#include "base/json_reader.h"
#include "inference/http/metrics.h"
#include "inference/http/service.h"
#include "inference/trial_json.h"

namespace holdfast::inference {
namespace {

namespace json = boost::json;
using Answer = Task<Result<http::Response>>;

json::object row_of(Repository& repository, const std::string& name, const TrialPtr& trial) {
  json::object out;
  if (trial) {
    out = to_json(*trial);
  } else {
    out["state"] = "none";
  }
  out["model"] = name;
  json::array held;
  for (const Hold& hold : repository.lives().of(name).holds) {
    json::object row;
    row["version"] = std::to_string(hold.version);
    row["kind"] = hold.kind;
    row["reason"] = hold.reason;
    row["since"] = format_rfc3339(WallTime(std::chrono::milliseconds(hold.since_ms)));
    held.push_back(std::move(row));
  }
  out["held"] = std::move(held);
  return out;
}

http::Response answer(unsigned status, const json::object& value) {
  return http::Response(status, "application/json", json::serialize(value));
}

Answer start(Repository& repository, http::Request& request) {
  const std::string name(request.param("model"));
  CO_TRY(const std::string body, co_await read_all(*request.body, 64 << 10));
  CO_TRY(const json::object asked, parse_json_object(body, "the body"));
  CO_TRY(const TrialSpec spec, parse_trial(asked, repository.care().trial));
  CO_TRY(const TrialPtr trial, co_await repository.trials().start(name, spec));
  co_return answer(201, row_of(repository, name, trial));
}

Answer show(Repository& repository, http::Request& request) {
  const std::string name(request.param("model"));
  const auto current = repository.find(name);
  if (!current && current.error().code() == Code::not_found)
    co_return std::unexpected(current.error());
  // Another version may have become current by now.
  if (current) repository.trials().running(name, (*current)->version);
  co_return answer(200, row_of(repository, name, repository.trials().find(name)));
}

Answer list(Repository& repository) {
  json::array rows;
  for (const auto& [name, trial] : repository.trials().list())
    rows.push_back(row_of(repository, name, trial));
  json::object out;
  out["canaries"] = std::move(rows);
  co_return answer(200, out);
}

Answer end(Repository& repository, http::Request& request, TrialState how) {
  const std::string name(request.param("model"));
  CO_TRY(const TrialPtr trial, co_await repository.trials().end(name, how));
  co_return answer(200, row_of(repository, name, trial));
}

std::string number(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

}  // namespace

void mount_trials(http::Router& router, Repository& repository, const ServeOptions& options) {
  using http::Role;
  const std::string base = "/api/v1/models/{model}/canary";
  router.add("GET", "/api/v1/canaries", Role::anonymous,
             [&repository](http::Request&) { return list(repository); });
  router.add("GET", base, Role::anonymous,
             [&repository](http::Request& request) { return show(repository, request); });
  router.add("POST", base, options.admin,
             [&repository](http::Request& request) { return start(repository, request); });
  router.add("POST", base + "/promote", options.admin, [&repository](http::Request& request) {
    return end(repository, request, TrialState::promoted);
  });
  router.add("POST", base + "/abort", options.admin, [&repository](http::Request& request) {
    return end(repository, request, TrialState::aborted);
  });
}

std::string write_trials(const std::vector<std::pair<std::string, TrialPtr>>& trials) {
  std::string out;
  const auto family = [&](const char* name, const char* type, const char* help, auto samples) {
    const std::string full = std::string("holdfast_canary_") + name;
    out += "# HELP " + full + " " + help + "\n# TYPE " + full + " " + type + "\n";
    for (const auto& [model, trial] : trials) {
      const std::string labels =
          "{model=\"" + model + "\",version=\"" + std::to_string(trial->spec().version) + "\"";
      const auto sample = [&](const std::string& more, double value) {
        out += full + labels + more + "} " + number(value) + "\n";
      };
      samples(trial->report(), sample);
    }
  };
  const auto arms = [](auto value) {
    return [value](const TrialReport& report, const auto& sample) {
      sample(",arm=\"candidate\"", value(report.candidate));
      sample(",arm=\"current\"", value(report.current));
    };
  };
  const auto one = [](auto value) {
    return [value](const TrialReport& report, const auto& sample) { sample("", value(report)); };
  };
  family("state", "gauge", "1 at the state of the model's last trial",
         [](const TrialReport& report, const auto& sample) {
           for (const TrialState state : {TrialState::running, TrialState::promoted,
                                          TrialState::rolled_back, TrialState::aborted})
             sample(",state=\"" + std::string(to_string(state)) + "\"", state == report.state);
         });
  family("requests_total", "counter", "Requests of a trial, a candidate's shadows included",
         arms([](const Arm& arm) { return static_cast<double>(arm.requests); }));
  family("errors_total", "counter", "Those that failed",
         arms([](const Arm& arm) { return static_cast<double>(arm.errors); }));
  family("p95_seconds", "gauge", "95th percentile of their runs",
         arms([](const Arm& arm) { return static_cast<double>(arm.p95_ns) / 1e9; }));
  family("compared_total", "counter", "Answers compared with the other version's",
         one([](const TrialReport& r) { return static_cast<double>(r.compared); }));
  family("disagreements_total", "counter", "Of these, those that differ",
         one([](const TrialReport& r) { return static_cast<double>(r.disagreed); }));
  family("dropped_total", "counter", "Requests not shadowed, too many being under way",
         one([](const TrialReport& r) { return static_cast<double>(r.dropped); }));
  family("max_difference", "gauge", "Largest difference of a float",
         one([](const TrialReport& r) { return r.max_difference; }));
  return out;
}

}  // namespace holdfast::inference
