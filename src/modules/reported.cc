#include "modules/reported.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

namespace holdfast::modules {
namespace {

namespace json = boost::json;

// .NET's way to say never.
std::string time_text(WallTime time) {
  return time == WallTime{} ? "0001-01-01T00:00:00Z" : format_rfc3339(time, 7);
}

std::string reported_state(const ModuleSpec& spec, const Actual* actual, const Life* life,
                           std::string_view status) {
  if (life != nullptr && !life->problem.empty()) return life->problem;
  if (actual != nullptr && !actual->note.empty()) return actual->note;
  if (status == "running")
    return spec.type == ModuleType::model ? "serving " + spec.digest : "running";
  return std::string(status);
}

json::object module_state(const ModuleSpec& spec, const Actual* actual, const Life* life,
                          WallTime now, const RestartRule& rule) {
  // What was desired is echoed; of the settings only what tells the image, as edgeAgent does.
  json::object out;
  for (const char* key :
       {"type", "version", "status", "restartPolicy", "imagePullPolicy", "startupOrder", "env"})
    if (const json::value* value = spec.desired.if_contains(key)) out[key] = *value;
  const std::string_view status = runtime_status(spec, actual, life, now, rule);
  out["runtimeStatus"] = status;
  out["statusDescription"] = reported_state(spec, actual, life, status);
  out["exitCode"] = life != nullptr ? life->exit_code : 0;
  out["restartCount"] = life != nullptr ? life->restarts : 0;
  out["lastStartTimeUtc"] = time_text(life != nullptr ? life->last_start : WallTime{});
  out["lastExitTimeUtc"] = time_text(life != nullptr ? life->last_exit : WallTime{});
  out["lastRestartTimeUtc"] = time_text(life != nullptr ? life->last_restart : WallTime{});
  json::object settings;
  if (!spec.image.empty()) settings["image"] = spec.image;
  if (!spec.digest.empty()) settings["digest"] = spec.digest;
  if (!spec.canary.empty()) settings["canary"] = spec.canary;
  if (actual != nullptr && !actual->image_id.empty()) settings["imageHash"] = actual->image_id;
  if (!spec.create_options.empty())
    settings["createOptions"] = json::serialize(spec.create_options);
  if (!spec.command.empty())
    settings["command"] = json::array(spec.command.begin(), spec.command.end());
  out["settings"] = std::move(settings);
  return out;
}

}  // namespace

int status_code(const Error& error) {
  if (error.reason() == "manifest_format") return 400;
  if (error.reason() == "manifest_schema") return 412;
  if (error.reason() == "manifest_empty") return 417;
  return 500;
}

json::object reported_properties(const Deployment& deployment, const DesiredStatus& status,
                                 const std::vector<Actual>& actual,
                                 const std::map<std::string, Life>& lives, const Host& host,
                                 WallTime now, const RestartRule& rule) {
  json::object out;
  out["schemaVersion"] = "1.1";
  out["version"] = json::object{{"version", host.version}, {"build", ""}, {"commit", ""}};
  out["lastDesiredVersion"] = status.version;
  out["lastDesiredStatus"] =
      json::object{{"code", status.code}, {"description", status.description}};
  const json::object platform{
      {"os", "linux"}, {"architecture", host.architecture}, {"version", host.kernel}};
  json::object runtime{{"platform", platform}};
  if (const json::value* type = deployment.runtime.if_contains("type")) runtime["type"] = *type;
  out["runtime"] = std::move(runtime);
  json::object system;
  for (const auto& [name, desired] : deployment.system_modules) {
    json::object one = desired.get_object();  // the parser has looked
    one["runtimeStatus"] = "running";         // this program is both of them
    system[name] = std::move(one);
  }
  out["systemModules"] = std::move(system);
  json::object modules;
  for (const ModuleSpec& spec : deployment.modules) {
    const auto found = std::ranges::find(actual, spec.name, &Actual::name);
    const auto life = lives.find(spec.name);
    modules[spec.name] = module_state(spec, found == actual.end() ? nullptr : &*found,
                                      life == lives.end() ? nullptr : &life->second, now, rule);
  }
  out["modules"] = std::move(modules);
  return out;
}

}  // namespace holdfast::modules
