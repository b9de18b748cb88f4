#include "config.h"

#include <algorithm>
#include <cstdlib>

#include "base/files.h"
#include "base/yaml.h"
#include "identity/accounts.h"
#include "jobs/job_yaml.h"
#include "net/http/address.h"

namespace holdfast {
namespace {

// Without TLS only loopback is served; what comes from elsewhere would travel in the clear.
Result<void> check_loopback(const std::string& key, const std::string& address) {
  TRY(const auto at, http::parse_host_port(address));
  if (at.host == "localhost" || at.host == "::1" || at.host.starts_with("127.")) return {};
  return fail(Code::invalid_argument, key + ": " + address +
                                          " is not loopback, and this door has no TLS; listen on "
                                          "127.0.0.1 and put a TLS proxy before it");
}

Result<void> parse_jobs(YamlMap& map, HubConfig& config) {
  TRY(YamlMap jobs, map.map("jobs"));
  TRY(config.jobs_python, jobs.text_or("python", config.jobs_python));
  if (!config.jobs_python.starts_with('/'))
    return std::unexpected(jobs.error_at("python", "must be an absolute path"));
  TRY(const int64_t slots, jobs.integer_or("slots", config.jobs_slots, 1, 64));
  config.jobs_slots = static_cast<unsigned>(slots);
  TRY(YamlMap environments, jobs.map("environments"));
  for (const std::string& name : environments.keys()) {
    if (auto good = jobs::check_name("the environment", name); !good)
      return std::unexpected(environments.error_at(name, good.error().message()));
    TRY(auto requirements, environments.texts_or(name, {}));
    for (const std::string& one : requirements) {
      if (auto good = jobs::check_requirement(one); !good)
        return std::unexpected(environments.error_at(name, good.error().message()));
    }
    config.jobs_environments[name] = std::move(requirements);
  }
  return jobs.finish();
}

// What is not said is as `otherwise` has it.
Result<blob::AccountSettings> parse_account(YamlMap& map, blob::AccountSettings otherwise) {
  TRY(otherwise.versioning, map.flag_or("versioning", otherwise.versioning));
  TRY(const auto kept, map.duration_or("deleted-containers", otherwise.containers_kept));
  if (kept > std::chrono::days(365))
    return std::unexpected(map.error_at("deleted-containers", "must be at most 8760h"));
  TRY(otherwise.change_feed, map.flag_or("change-feed", otherwise.change_feed));
  TRY(const auto feed_kept, map.duration_or("change-feed-retention", otherwise.change_feed_kept));
  otherwise.change_feed_kept = std::chrono::ceil<std::chrono::seconds>(feed_kept);
  if (feed_kept.count() > 0 && feed_kept < std::chrono::hours(1))
    return std::unexpected(map.error_at("change-feed-retention", "must be 0s, or 1h at least"));
  otherwise.containers_kept = std::chrono::ceil<std::chrono::seconds>(kept);
  TRY(const auto rehydration, map.duration_or("rehydration", otherwise.rehydration));
  if (rehydration > std::chrono::hours(15))
    return std::unexpected(map.error_at("rehydration", "must be at most 15h"));
  otherwise.rehydration = std::chrono::ceil<std::chrono::seconds>(rehydration);
  return otherwise;
}

Result<uint64_t> size_of(const YamlMap& map, const char* key, const std::string& text) {
  const auto size = parse_size(text);
  if (!size) return std::unexpected(map.error_at(key, size.error().message()));
  return *size;
}

// Inline, or the path of a file, which is relative to the one that names it.
Result<blob::LifecycleRules> parse_rules(YamlMap& map, const std::string& source) {
  if (map.is_map("lifecycle")) {
    TRY(YamlMap rules, map.map("lifecycle"));
    return blob::parse_lifecycle(rules);
  }
  TRY(std::string path, map.text("lifecycle"));
  if (!path.starts_with('/')) path = source.substr(0, source.rfind('/') + 1) + path;
  const auto text = read_file(path, 1 << 20);
  if (!text) return std::unexpected(map.error_at("lifecycle", text.error().message()));
  TRY(YamlMap rules, YamlMap::parse(*text, path));
  return blob::parse_lifecycle(rules);
}

Result<void> parse_lifecycle(YamlMap& storage, const std::string& source, HubConfig& config) {
  if (storage.has("lifecycle")) {
    TRY(config.lifecycle[""], parse_rules(storage, source));
  }
  TRY(config.lifecycle_every, storage.duration_or("lifecycle_every", config.lifecycle_every));
  TRY(const int64_t rate,
      storage.integer_or("lifecycle_rate", static_cast<int64_t>(config.lifecycle_rate), 0,
                         1'000'000));
  config.lifecycle_rate = static_cast<uint64_t>(rate);
  return {};
}

Result<void> parse_storage(YamlMap& map, const std::string& source, HubConfig& config) {
  TRY(YamlMap storage, map.map("storage"));
  TRY(const blob::AccountSettings all, parse_account(storage, {}));
  config.storage_accounts[""] = all;
  TRY_VOID(parse_lifecycle(storage, source, config));
  TRY(YamlMap accounts, storage.map("accounts"));
  for (const std::string& name : accounts.keys()) {
    if (auto good = identity::check_account_name(name); !good)
      return std::unexpected(accounts.error_at(name, good.error().message()));
    TRY(YamlMap account, accounts.map(name));
    TRY(config.storage_accounts[name], parse_account(account, all));
    if (account.has("lifecycle")) {
      TRY(config.lifecycle[name], parse_rules(account, source));
    }
    TRY_VOID(account.finish());
  }
  TRY(config.storage_development, storage.flag_or("development", false));
  TRY(config.feed_delay, storage.duration_or("change-feed-delay", config.feed_delay));
  if (config.feed_delay < std::chrono::seconds(1) || config.feed_delay > std::chrono::hours(1))
    return std::unexpected(storage.error_at("change-feed-delay", "must be 1s to 1h"));
  TRY(const std::string endpoint, storage.text_or("endpoint", ""));
  TRY(const auto proxies, storage.texts_or("proxies", {}));
  if (auto made = blob::Endpoint::make(endpoint, proxies))
    config.storage_endpoint = std::move(*made);
  else
    return std::unexpected(
        storage.error_at(endpoint.empty() ? "proxies" : "endpoint", made.error().message()));
  TRY(const auto sources, storage.texts_or("copy-sources", {}));
  if (auto list = blob::SourceList::parse(sources); list)
    config.copy_sources = std::move(*list);
  else
    return std::unexpected(storage.error_at("copy-sources", list.error().message()));
  TRY(config.copy_limits.silence, storage.duration_or("copy-timeout", config.copy_limits.silence));
  if (config.copy_limits.silence < std::chrono::seconds(1) ||
      config.copy_limits.silence > std::chrono::minutes(10))
    return std::unexpected(storage.error_at("copy-timeout", "must be 1s to 10m"));
  TRY(const std::string reserve, storage.text_or("reserve", "1GiB"));
  TRY(config.storage_reserve, size_of(storage, "reserve", reserve));
  TRY(const std::string rate, storage.text_or("scrub_rate", "20MiB"));
  TRY(config.scrub_rate, size_of(storage, "scrub_rate", rate));
  return storage.finish();
}

Result<void> parse_events(YamlMap& map, HubConfig& config) {
  TRY(YamlMap events, map.map("events"));
  TRY(YamlMap subscriptions, events.map("subscriptions"));
  for (const std::string& name : subscriptions.keys()) {
    TRY(YamlMap one, subscriptions.map(name));
    TRY(auto parsed, events::parse_subscription(name, one));
    TRY_VOID(one.finish());
    config.subscriptions.push_back(std::move(parsed));
  }
  TRY_VOID(subscriptions.finish());
  TRY_VOID(events.finish());
  // Who listens to any account listens to those without an entry of their own as well.
  for (auto& [account, settings] : config.storage_accounts) {
    settings.events = settings.change_feed;
    for (const events::Subscription& one : config.subscriptions)
      settings.events = settings.events || events::listens(one, account);
  }
  for (const events::Subscription& one : config.subscriptions) {
    if (one.account.empty() || config.storage_accounts.contains(one.account)) continue;
    blob::AccountSettings own = config.storage_accounts[""];
    own.events = true;
    config.storage_accounts[one.account] = own;
  }
  return {};
}

}  // namespace

Result<HubConfig> parse_hub_config(const std::string& text, const std::string& source) {
  HubConfig config;
  TRY(YamlMap map, YamlMap::parse(text, source));
  TRY(config.domain, map.text_or("domain", config.domain));
  TRY(config.data, map.text_or("data", ""));
  TRY(config.endpoint, map.text_or("endpoint", ""));
  if (!config.endpoint.empty() &&
      (!config.endpoint.starts_with("https://") || !http::parse_url(config.endpoint)))
    return std::unexpected(map.error_at("endpoint", "must be https://HOST[:PORT]"));
  TRY(YamlMap listen, map.map("listen"));
  TRY(config.http, listen.text_or("http", config.http));
  TRY(config.blob, listen.text_or("blob", config.blob));
  TRY(config.https, listen.text_or("https", ""));
  TRY(config.mqtt, listen.text_or("mqtt", ""));
  TRY(config.blob_https, listen.text_or("blob-https", ""));
  TRY_VOID(listen.finish());
  TRY_VOID(parse_jobs(map, config));
  TRY_VOID(parse_storage(map, source, config));
  TRY_VOID(parse_events(map, config));
  TRY(config.names, map.texts_or("names", {}));
  TRY(const std::string database, map.text_or("database", "sqlite"));
  if (database != "sqlite")
    return std::unexpected(
        map.error_at("database", "'" + database + "' is not offered; sqlite is"));
  TRY(const std::string objects, map.text_or("objects", "file"));
  if (objects != "file")
    return std::unexpected(map.error_at("objects", "'" + objects + "' is not offered; file is"));
  TRY_VOID(map.finish());
  return config;
}

Result<HubConfig> read_hub_config(int argc, char** argv) {
  std::string file, data, listen_http, listen_blob, listen_https, listen_mqtt, listen_blob_https;
  const std::pair<const char*, std::string*> flags[] = {
      {"--config", &file},
      {"--data", &data},
      {"--listen-http", &listen_http},
      {"--listen-blob", &listen_blob},
      {"--listen-https", &listen_https},
      {"--listen-mqtt", &listen_mqtt},
      {"--listen-blob-https", &listen_blob_https}};
  bool check_only = false, development = false, emulator = false;
  const std::pair<std::string_view, bool*> switches[] = {
      {"--check", &check_only}, {"--development", &development}, {"--emulator-account", &emulator}};
  for (int i = 1; i < argc; ++i) {
    const auto* found = std::ranges::find(switches, std::string_view(argv[i]),
                                          &std::pair<std::string_view, bool*>::first);
    if (found != std::end(switches)) {
      *found->second = true;
      continue;
    }
    std::string* into = nullptr;
    for (const auto& [flag, value] : flags) {
      if (argv[i] == std::string(flag)) into = value;
    }
    if (into == nullptr || i + 1 == argc) {
      return fail(
          Code::invalid_argument,
          std::string("usage: holdfast hub [--check] [--development] [--emulator-account] "
                      "[--config FILE] [--data DIR] [--listen-http "
                      "ADDRESS] [--listen-blob ADDRESS] [--listen-https ADDRESS] [--listen-mqtt "
                      "ADDRESS] [--listen-blob-https ADDRESS]; not understood: ") +
              argv[i]);
    }
    *into = argv[++i];
  }
  HubConfig config;
  if (!file.empty()) {
    TRY(const std::string text, read_file(file, 1 << 20));
    TRY(config, parse_hub_config(text, file));
  }
  const auto over = [](std::string& value, const std::string& flag, const char* variable) {
    if (const char* text = std::getenv(variable)) value = text;
    if (!flag.empty()) value = flag;
  };
  over(config.data, data, "HOLDFAST_HUB_DATA");
  over(config.http, listen_http, "HOLDFAST_HUB_LISTEN_HTTP");
  over(config.blob, listen_blob, "HOLDFAST_HUB_LISTEN_BLOB");
  over(config.https, listen_https, "HOLDFAST_HUB_LISTEN_HTTPS");
  over(config.mqtt, listen_mqtt, "HOLDFAST_HUB_LISTEN_MQTT");
  over(config.blob_https, listen_blob_https, "HOLDFAST_HUB_LISTEN_BLOB_HTTPS");
  if (config.data.empty())
    return fail(Code::invalid_argument,
                "the hub needs a data directory: --data DIR, or data: in its configuration");
  TRY_VOID(check_loopback("listen.http", config.http));
  TRY_VOID(check_loopback("listen.blob", config.blob));
  for (const std::string& door : {config.https, config.mqtt, config.blob_https}) {
    if (!door.empty()) TRY_VOID(http::parse_host_port(door));
  }
  if (emulator && !config.blob_https.empty()) {
    if (auto near = check_loopback("listen.blob-https", config.blob_https); !near)
      return fail(Code::invalid_argument,
                  "--emulator-account: all the world knows that account's key, and " +
                      config.blob_https + " is not loopback");
  }
  config.storage_development |= development;
  config.emulator_account = emulator;
  config.check_only = check_only;
  return config;
}

}  // namespace holdfast
