#include "training/trigger.h"

#include "base/bytes.h"
#include "base/yaml.h"
#include "data/assets.h"
#include "jobs/job_yaml.h"

namespace holdfast::training {
namespace {

std::unexpected<Error> at(const YamlMap& map, std::string_view key, std::string_view message) {
  return std::unexpected(map.error_at(key, message));
}

// The asset whose new version is learned, and the blobs that it is made of.
Result<void> parse_source(YamlMap& map, DataWatch& out) {
  TRY(out.asset, map.text("asset"));
  if (auto good = data::check_asset_name(out.asset); !good)
    return at(map, "asset", good.error().message());
  TRY(out.account, map.text("account"));
  TRY(out.container, map.text("container"));
  TRY(out.prefix, map.text_or("prefix", ""));
  return {};
}

Result<DataWatch> parse_data(YamlMap& map) {
  DataWatch out;
  TRY_VOID(parse_source(map, out));
  TRY(out.when, map.text_or("when", ""));
  TRY(out.settle, map.duration_or("settle", out.settle));
  if (out.settle < std::chrono::milliseconds(100))
    return at(map, "settle", "must be at least 100ms");
  return out;
}

// As holdfast-serve names the files of its drift events:
// drift-MODEL-20261127T134900-0a1b2c3d.jsonl. Of exact lengths, so that a model is not taken for
// another whose name begins with its own.
std::string events_of(const std::string& model) {
  const auto any = [](size_t signs) { return std::string(signs, '?'); };
  return "drift-" + model + "-" + any(8) + "T" + any(6) + "-" + any(8) + ".jsonl";
}

Result<DataWatch> parse_drift(YamlMap& map) {
  DataWatch out;
  TRY(out.drifting, map.text("model"));
  if (auto good = jobs::check_name("the model", out.drifting); !good)
    return at(map, "model", good.error().message());
  TRY_VOID(parse_source(map, out));
  TRY(const std::string events, map.text_or("events", out.container + "/drift"));
  const size_t slash = events.find('/');
  out.events = events.substr(0, slash);
  std::string folder = slash == std::string::npos ? "" : events.substr(slash + 1);
  if (out.events.empty() || folder.find_first_of("*?[\\") != std::string::npos)
    return at(map, "events", "is not as CONTAINER or CONTAINER/FOLDER");
  if (!folder.empty() && !folder.ends_with('/')) folder += '/';
  out.when = folder + events_of(out.drifting);
  return out;
}

Result<std::optional<double>> optional_number(YamlMap& map, std::string_view key, bool positive) {
  if (!map.has(key)) return std::nullopt;
  TRY(const double value, map.number_or(key, 0));
  if (positive && value < 0) return at(map, key, "must not be below 0");
  return value;
}

Result<Rule> parse_rule(YamlMap& map) {
  Rule out;
  TRY(out.metric, map.text("metric"));
  TRY(out.min, optional_number(map, "min", false));
  TRY(out.min_gain, optional_number(map, "min_gain", true));
  TRY(out.max_loss, optional_number(map, "max_loss", true));
  TRY(out.lower_is_better, map.flag_or("lower_is_better", false));
  if (!out.min && !out.min_gain && !out.max_loss)
    return at(map, "metric", "a rule needs min, min_gain or max_loss");
  TRY_VOID(map.finish());
  return out;
}

Result<void> parse_on(YamlMap& map, TriggerSpec& spec) {
  if (!map.has("trigger")) return at(map, "trigger", "is required");
  TRY(YamlMap on, map.map("trigger"));
  TRY(const std::string type, on.text("type"));
  if (type == "data") {
    TRY(spec.data, parse_data(on));
  } else if (type == "drift") {
    TRY(spec.data, parse_drift(on));
  } else if (type == "model") {
    TRY(spec.model, on.text("model"));
    if (auto good = jobs::check_name("the model", spec.model); !good)
      return at(on, "model", good.error().message());
  } else {
    return at(on, "type", "'" + type + "' is not offered; data, drift and model are");
  }
  return on.finish();
}

}  // namespace

Result<TriggerSpec> parse_trigger(std::string_view text, std::string_view source) {
  TRY(YamlMap map, YamlMap::parse(text, source));
  TriggerSpec spec;
  TRY_VOID(map.text_or("$schema", ""));
  TRY(spec.name, map.text("name"));
  if (auto good = jobs::check_name("the trigger", spec.name); !good || spec.name.size() > 100)
    return at(map, "name", good ? "has at most 100 characters" : good.error().message());
  TRY(spec.description, map.text_or("description", ""));
  TRY_VOID(parse_on(map, spec));
  spec.has_job = map.has("create_job");
  TRY_VOID(map.text_or("create_job", ""));  // the client's file; its text stands beside this one
  TRY(auto rules, map.maps("gate"));
  for (YamlMap& rule : rules) {
    TRY(Rule one, parse_rule(rule));
    spec.gate.push_back(std::move(one));
  }
  TRY(auto targets, map.maps("deploy"));
  for (YamlMap& target : targets) {
    Target one;
    TRY(one.device, target.text("device"));
    TRY(one.module, target.text("module"));
    TRY_VOID(target.finish());
    spec.deploy.push_back(std::move(one));
  }
  TRY(spec.alias, map.text_or("alias", spec.alias));
  if (auto good = jobs::check_name("an alias", spec.alias); !good || spec.alias == "latest")
    return at(map, "alias", good ? "'latest' is taken" : good.error().message());
  if (spec.data && (!spec.gate.empty() || !spec.deploy.empty()))
    return at(map, spec.gate.empty() ? "deploy" : "gate",
              "belongs to a trigger of type model: it acts on a model version");
  if (spec.data && !spec.has_job)
    return at(map, "create_job", "is required on new data and on drift");
  if (!spec.gate.empty() && !spec.has_job)
    return at(map, "gate", "needs create_job: the job that measures both versions");
  if (spec.has_job && !spec.data && spec.gate.empty())
    return at(map, "create_job", "needs a gate that reads its metrics");
  TRY_VOID(map.finish());
  return spec;
}

bool may_pass(const Error& error) {
  return error.code() == Code::unavailable || error.code() == Code::timed_out ||
         error.code() == Code::cancelled || error.code() == Code::internal;
}

Result<std::string> bind_job(std::string_view yaml, int64_t version) {
  constexpr std::string_view kOpen = "${{";
  std::string out;
  while (true) {
    const size_t begin = yaml.find(kOpen);
    out += yaml.substr(0, begin);
    if (begin == std::string_view::npos) return out;
    const size_t end = yaml.find("}}", begin);
    const std::string_view inside =
        end == std::string_view::npos ? "" : trim(yaml.substr(begin + 3, end - begin - 3));
    if (inside == "trigger.version") {
      out += std::to_string(version);
      yaml.remove_prefix(end + 2);
    } else if (inside.starts_with("trigger.")) {
      return fail(Code::invalid_argument,
                  "${{" + std::string(inside) + "}} is not offered; ${{trigger.version}} is");
    } else {  // the job's own
      out += kOpen;
      yaml.remove_prefix(begin + kOpen.size());
    }
  }
}

}  // namespace holdfast::training
