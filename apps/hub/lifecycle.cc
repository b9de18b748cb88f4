#include "lifecycle.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

namespace holdfast {
namespace {

namespace json = boost::json;
using Answer = Task<Result<http::Response>>;

http::Response answer(const json::value& value) {
  return http::Response(200, "application/json", json::serialize(value));
}

std::string age_text(const blob::LifecycleAge& age) {
  std::string out;
  const auto add = [&](const std::optional<double>& days, const char* since) {
    if (!days) return;
    char text[64];
    std::snprintf(text, sizeof text, "%s%g days after its %s", out.empty() ? "" : " and ", *days,
                  since);
    out += text;
  };
  add(age.modified, "change");
  add(age.created, "making");
  return out;
}

json::array actions_of(const blob::LifecycleRule& rule) {
  json::array out;
  for (const auto& [part, actions] :
       {std::pair("blob", rule.base), {"snapshot", rule.snapshot}, {"version", rule.version}}) {
    for (const auto& [action, age] : {std::pair(blob::LifecycleAction::cool, actions.cool),
                                      {blob::LifecycleAction::cold, actions.cold},
                                      {blob::LifecycleAction::archive, actions.archive},
                                      {blob::LifecycleAction::remove, actions.remove}}) {
      if (!age.wanted()) continue;
      out.push_back(json::value(std::string(part) + ": " + std::string(to_string(action)) +
                                " more than " + age_text(age)));
    }
  }
  return out;
}

json::array rules_of(const std::string& account, const blob::LifecycleRules& rules) {
  json::array out;
  for (const blob::LifecycleRule& rule : rules) {
    json::object row;
    row["account"] = account.empty() ? "*" : account;
    row["rule"] = rule.name;
    row["enabled"] = rule.enabled;
    row["prefixes"] = json::array(rule.prefixes.begin(), rule.prefixes.end());
    row["actions"] = actions_of(rule);
    out.push_back(std::move(row));
  }
  return out;
}

struct Api {
  blob::Lifecycle& lifecycle;
  const HubConfig& config;

  Answer show() {
    json::array rows;
    for (const auto& [account, rules] : config.lifecycle) {
      for (json::value& row : rules_of(account, rules)) rows.push_back(std::move(row));
    }
    json::object out;
    out["rules"] = std::move(rows);
    co_return answer(out);
  }
  Answer pass(http::Request& request) {
    const auto wanted = request.query_value("dry_run");
    if (wanted && *wanted != "true" && *wanted != "false")
      co_return fail(Code::invalid_argument, "dry_run is true or false");
    CO_TRY(const blob::LifecycleReport done, co_await lifecycle.pass(wanted == "true"));
    json::array rows;
    for (const blob::LifecycleStep& step : done.steps) {
      json::object row;
      row["account"] = step.account;
      row["container"] = step.container;
      row["blob"] = step.of.name;
      if (step.of.snapshot != WallTime()) row["snapshot"] = format_rfc3339(step.of.snapshot, 7);
      if (!step.of.current) row["version"] = format_rfc3339(step.of.version, 7);
      row["action"] = to_string(step.action);
      row["rule"] = step.rule;
      rows.push_back(std::move(row));
    }
    json::object out;
    out["dry_run"] = wanted == "true";
    out["looked_at"] = done.looked_at;
    out["tiered"] = done.tiered;
    out["deleted"] = done.deleted;
    out["skipped"] = done.skipped;
    out["steps"] = std::move(rows);
    co_return answer(out);
  }
};

}  // namespace

const blob::LifecycleRules& lifecycle_rules(const HubConfig& config, std::string_view account) {
  const auto own = config.lifecycle.find(std::string(account));
  return own != config.lifecycle.end() ? own->second : config.lifecycle.at(std::string());
}

void mount_lifecycle(http::Router& router, blob::Lifecycle& lifecycle, const HubConfig& config) {
  auto api = std::make_shared<Api>(Api{lifecycle, config});
  router.add("GET", "/api/v1/storage/lifecycle", http::Role::reader,
             [api](http::Request&) { return api->show(); });
  router.add("POST", "/api/v1/storage/lifecycle", http::Role::admin,
             [api](http::Request& request) { return api->pass(request); });
}

}  // namespace holdfast
