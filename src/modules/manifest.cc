#include "modules/manifest.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/json_reader.h"

namespace holdfast::modules {
namespace {

namespace json = boost::json;

constexpr std::pair<std::string_view, ModuleType> kTypes[] = {
    {"docker", ModuleType::docker}, {"process", ModuleType::process}, {"model", ModuleType::model}};
constexpr std::pair<std::string_view, Wanted> kWanted[] = {{"running", Wanted::running},
                                                           {"stopped", Wanted::stopped}};
constexpr std::pair<std::string_view, RestartPolicy> kRestarts[] = {
    {"always", RestartPolicy::always},
    {"never", RestartPolicy::never},
    {"on-failure", RestartPolicy::on_failure},
    {"on-unhealthy", RestartPolicy::on_unhealthy}};
// The manifest spells it one way and the management API the other.
constexpr std::pair<std::string_view, PullPolicy> kPulls[] = {{"on-create", PullPolicy::on_create},
                                                              {"On-Create", PullPolicy::on_create},
                                                              {"never", PullPolicy::never},
                                                              {"Never", PullPolicy::never}};

template <class T, size_t N>
Result<T> choice(const JsonReader& map, std::string_view key, const char* otherwise,
                 const std::pair<std::string_view, T> (&choices)[N]) {
  TRY(const std::string text, otherwise ? map.text_or(key, otherwise) : map.text(key));
  std::string known;
  for (const auto& [name, value] : choices) {
    if (name == text) return value;
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  return std::unexpected(map.error_at(key, "'" + text + "' is none of " + known));
}

template <class T, size_t N>
std::string_view name_of(T wanted, const std::pair<std::string_view, T> (&choices)[N]) {
  for (const auto& [name, value] : choices)
    if (value == wanted) return name;
  return "unknown";
}

// A long text that the tools cut into KEY, KEY01, KEY02 … of 512 signs each.
Result<std::string> joined(const JsonReader& settings, std::string_view key) {
  TRY(std::string whole, settings.text_or(key, ""));
  for (int part = 1; part < 100; ++part) {
    const std::string name = std::string(key) + (part < 10 ? "0" : "") + std::to_string(part);
    if (settings.find(name) == nullptr) break;
    TRY(const std::string more, settings.text_or(name, ""));
    whole += more;
  }
  return whole;
}

std::string plain(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

Result<void> read_env(const JsonReader& module, Pairs& env) {
  TRY(const JsonReader map, module.object("env", true));
  for (const auto& [key, item] : map.raw()) {
    const std::string name(key);
    const json::value* value = item.is_object() ? item.get_object().if_contains("value") : nullptr;
    if (value == nullptr || value->is_object() || value->is_array())
      return std::unexpected(map.error_at(name, "must be {\"value\": …}"));
    if (name.empty() || name.find('=') != std::string::npos || name.find('\0') != std::string::npos)
      return std::unexpected(map.error_at(name, "is not a variable's name"));
    std::string text = value->is_null() ? "" : plain(*value);
    if (text.find('\0') != std::string::npos)
      return std::unexpected(map.error_at(name, "must not hold a NUL"));
    env.emplace_back(name, std::move(text));
  }
  return {};
}

bool is_digest(std::string_view text) {
  return text.starts_with("sha256:") && text.size() == 71 &&
         std::ranges::all_of(text.substr(7), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Result<void> read_process(const JsonReader& settings, ModuleSpec& spec) {
  const json::value* command = settings.find("command");
  const bool list = command != nullptr && command->is_array() && !command->get_array().empty();
  if (!list || !std::ranges::all_of(command->get_array(), [](const json::value& word) {
        return word.is_string() && word.get_string().find('\0') == json::string::npos;
      }))
    return std::unexpected(settings.error_at("command", "must be a list of texts, not empty"));
  for (const json::value& word : command->get_array()) spec.command.emplace_back(word.get_string());
  if (!spec.command[0].starts_with('/'))
    return std::unexpected(settings.error_at("command[0]", "must be an absolute path"));
  return read_env(settings, spec.env);
}

Result<void> read_settings(const JsonReader& module, ModuleSpec& spec) {
  TRY(const JsonReader settings, module.object("settings"));
  if (spec.type == ModuleType::process) return read_process(settings, spec);
  TRY(spec.image, settings.text("image"));
  if (spec.type == ModuleType::model) {
    const auto number = parse_u64(spec.version);
    if (!number || *number == 0 || *number > INT64_MAX || std::to_string(*number) != spec.version)
      return std::unexpected(module.error_at("version", "of a model must be a number from 1"));
    TRY(spec.digest, settings.text("digest"));
    if (!is_digest(spec.digest))
      return std::unexpected(settings.error_at("digest", "must be sha256: and 64 hex digits"));
    TRY(const JsonReader canary, settings.object("canary", true));
    spec.canary = canary.raw();
    if (settings.find("canary") != nullptr && spec.canary.empty())
      return std::unexpected(settings.error_at("canary", "says no share of the requests"));
    if (spec.canary.contains("version"))
      return std::unexpected(canary.error_at("version", "is the module's"));
    return {};
  }
  TRY(const std::string options, joined(settings, "createOptions"));
  if (options.empty()) return {};
  auto parsed = parse_json_object(options, settings.path("createOptions"));
  if (!parsed) return std::unexpected(parsed.error());
  spec.create_options = std::move(*parsed);
  return {};
}

Result<ModuleSpec> read_module(const JsonReader& modules, std::string_view name) {
  ModuleSpec spec;
  spec.name = std::string(name);
  if (const auto good = check_module_name(name); !good)
    return std::unexpected(modules.error_at(name, good.error().message()));
  TRY(const JsonReader module, modules.object(name));
  spec.desired = module.raw();
  TRY(spec.type, choice(module, "type", nullptr, kTypes));
  TRY(spec.version, module.text_or("version", ""));
  TRY(spec.status, choice(module, "status", "running", kWanted));
  TRY(spec.restart, choice(module, "restartPolicy", "always", kRestarts));
  TRY(spec.pull, choice(module, "imagePullPolicy", "on-create", kPulls));
  TRY(const int64_t order, module.integer_or("startupOrder", UINT32_MAX, 0, UINT32_MAX));
  spec.startup_order = static_cast<uint32_t>(order);
  TRY_VOID(read_env(module, spec.env));
  TRY_VOID(read_settings(module, spec));
  return spec;
}

Result<Deployment> read_all(const JsonReader& top) {
  Deployment out;
  TRY(out.version, top.integer_or("$version", 0, 0, INT64_MAX));
  TRY(out.schema, top.text("schemaVersion"));
  TRY(const JsonReader runtime, top.object("runtime", true));
  out.runtime = runtime.raw();
  TRY(const JsonReader settings, runtime.object("settings", true));
  TRY(const JsonReader credentials, settings.object("registryCredentials", true));
  for (const auto& [id, ignored] : credentials.raw()) {
    TRY(const JsonReader one, credentials.object(id));
    RegistryCredential credential;
    TRY(credential.address, one.text("address"));
    TRY(credential.username, one.text("username"));
    TRY(credential.password, one.text("password"));
    out.registries.push_back(std::move(credential));
  }
  TRY(const JsonReader system, top.object("systemModules", true));
  for (const auto& [name, ignored] : system.raw()) TRY_VOID(system.object(name));
  out.system_modules = system.raw();
  TRY(const JsonReader modules, top.object("modules", true));
  for (const auto& [name, value] : modules.raw()) {
    if (value.is_null()) continue;
    TRY(ModuleSpec spec, read_module(modules, name));
    out.modules.push_back(std::move(spec));
  }
  std::ranges::sort(out.modules, [](const ModuleSpec& a, const ModuleSpec& b) {
    return std::tie(a.startup_order, a.name) < std::tie(b.startup_order, b.name);
  });
  return out;
}

}  // namespace

std::string_view to_string(ModuleType type) {
  return name_of(type, kTypes);
}
std::string_view to_string(Wanted status) {
  return name_of(status, kWanted);
}
std::string_view to_string(RestartPolicy policy) {
  return name_of(policy, kRestarts);
}

Result<void> check_module_name(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const bool good = !name.empty() && name.size() <= 128 && letter(name.front()) &&
                    std::ranges::all_of(name, [&](char c) {
                      return letter(c) || c == '.' || c == '_' || c == '-';
                    });
  if (!good)
    return fail(Code::invalid_argument,
                "a module's name is 1 to 128 letters, digits, '.', '_' and '-', a letter or digit "
                "first");
  if (name == "shares") return fail(Code::invalid_argument, "'shares' is a built-in module");
  return {};
}

std::string ModuleSpec::fingerprint() const {
  json::object all{
      {"type", to_string(type)}, {"image", image},
      {"version", version},      {"options", create_options},
      {"digest", digest},        {"command", json::array(command.begin(), command.end())}};
  if (!canary.empty()) all["canary"] = canary;
  json::array variables;
  for (const auto& [key, value] : env) variables.push_back(json::array{key, value});
  all["env"] = std::move(variables);
  if (!surroundings.empty()) all["surroundings"] = surroundings;
  return sha256_hex(as_bytes(json::serialize(all)));
}

const ModuleSpec* Deployment::find(std::string_view name) const {
  const auto found = std::ranges::find(modules, name, &ModuleSpec::name);
  return found == modules.end() ? nullptr : &*found;
}

Result<Deployment> parse_deployment(const json::object& desired) {
  const bool empty =
      std::ranges::all_of(desired, [](const auto& item) { return item.key().starts_with('$'); });
  if (empty)
    return fail(Code::invalid_argument, "manifest_empty", "the desired properties are empty");
  auto out = read_all(JsonReader(desired, ""));
  if (!out)
    return fail(Code::invalid_argument, "manifest_format", std::string(out.error().message()));
  if (out->schema != "1.0" && out->schema != "1.1" && !out->schema.starts_with("1.1."))
    return fail(Code::invalid_argument, "manifest_schema",
                "schemaVersion: " + out->schema + " is not one of 1.0 and 1.1");
  return out;
}

}  // namespace holdfast::modules
