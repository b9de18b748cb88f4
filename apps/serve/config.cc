#include "config.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "base/files.h"
#include "base/yaml.h"
#include "net/http/address.h"
#include "version.h"

namespace holdfast {
namespace {

Result<void> check_door(const std::string& key, const std::string& address,
                        const ServeConfig& config) {
  TRY(const auto at, http::parse_host_port(address));
  if (config.plain_http_beyond_loopback || at.host == "localhost" || at.host == "::1" ||
      at.host.starts_with("127."))
    return {};
  const std::string where = key + ": " + address + " is not loopback";
  if (!config.tls)
    return fail(Code::invalid_argument,
                where +
                    ", and this door has no TLS; set tls, or listen on 127.0.0.1 "
                    "(in a container: --plain-http-beyond-loopback)");
  if (config.tls->client_ca.empty() && config.token_keys.empty() && config.token_issuer_key.empty())
    return fail(Code::invalid_argument,
                where + ", and everybody may come in; set tokens or tls.client-ca");
  return {};
}

Result<void> read_local(YamlMap& map, ServeConfig& config) {
  TRY(YamlMap local, map.map("local"));
  TRY(const auto users, local.texts_or("users", {}));
  for (const std::string& user : users) {
    const auto number = parse_u64(user);
    if (!number || *number > UINT32_MAX)
      return std::unexpected(local.error_at("users", "'" + user + "' is not a user's number"));
    config.local_users.push_back(static_cast<uint32_t>(*number));
  }
  return local.finish();
}

Result<std::string> path_in(YamlMap& map, const char* key, const std::string& source) {
  TRY(std::string path, map.text_or(key, ""));
  if (path.empty() || path.starts_with('/')) return path;
  return source.substr(0, source.rfind('/') + 1) + path;
}

Result<void> parse_access(YamlMap& map, const std::string& source, ServeConfig& config) {
  if (map.has("tls")) {
    TRY(YamlMap tls, map.map("tls"));
    TlsConfig& into = config.tls.emplace();
    TRY(into.certificate, path_in(tls, "certificate", source));
    TRY(into.key, path_in(tls, "key", source));
    TRY(into.client_ca, path_in(tls, "client-ca", source));
    TRY(into.names, tls.texts_or("names", {}));
    if (into.certificate.empty() != into.key.empty())
      return std::unexpected(tls.error_at(into.key.empty() ? "certificate" : "key",
                                          "a certificate and its key come together"));
    TRY_VOID(tls.finish());
  }
  TRY(YamlMap tokens, map.map("tokens"));
  TRY(config.token_keys, path_in(tokens, "keys", source));
  TRY(config.token_issuer, tokens.text_or("issuer", ""));
  TRY(config.token_issuer_key, path_in(tokens, "issuer-key", source));
  if (config.token_issuer.empty() != config.token_issuer_key.empty())
    return std::unexpected(tokens.error_at(config.token_issuer.empty() ? "issuer-key" : "issuer",
                                           "issuer and issuer-key, its public key, come together"));
  return tokens.finish();
}

// breaker: and quarantine:.
Result<void> read_care(YamlMap& map, inference::Care& care) {
  TRY(YamlMap breaker, map.map("breaker"));
  TRY(const int64_t failures, breaker.integer_or("failures", care.breaker.failures, 0, 1'000'000));
  care.breaker.failures = static_cast<unsigned>(failures);
  TRY(care.breaker.backoff, breaker.duration_or("backoff", care.breaker.backoff));
  TRY(care.breaker.longest, breaker.duration_or("longest", care.breaker.longest));
  TRY(care.breaker.timeout, breaker.duration_or("timeout", care.breaker.timeout));
  TRY(care.breaker.fall_back, breaker.flag_or("fall_back", care.breaker.fall_back));
  TRY_VOID(breaker.finish());
  TRY(YamlMap quarantine, map.map("quarantine"));
  TRY(const int64_t crashes, quarantine.integer_or("crashes", care.quarantine.crashes, 0, 1000));
  care.quarantine.crashes = static_cast<unsigned>(crashes);
  TRY(care.quarantine.within, quarantine.duration_or("within", care.quarantine.within));
  return quarantine.finish();
}

// canary: what a trial has where it says nothing else.
Result<void> read_canary(YamlMap& map, inference::TrialSpec& trial) {
  TRY(YamlMap canary, map.map("canary"));
  const auto least = static_cast<int64_t>(trial.min_requests);
  TRY(const int64_t min_requests, canary.integer_or("min_requests", least, 1, INT64_MAX));
  trial.min_requests = static_cast<uint64_t>(min_requests);
  TRY(trial.max_error_rate, canary.number_or("max_error_rate", trial.max_error_rate));
  TRY(trial.max_latency_ratio, canary.number_or("max_latency_ratio", trial.max_latency_ratio));
  TRY(trial.latency_slack, canary.duration_or("latency_slack", trial.latency_slack));
  TRY(trial.max_disagreement, canary.number_or("max_disagreement", trial.max_disagreement));
  TRY(trial.tolerance, canary.number_or("tolerance", trial.tolerance));
  TRY(trial.compare_values, canary.flag_or("compare_values", trial.compare_values));
  TRY(const int64_t promote_after, canary.integer_or("promote_after", 0, 0, INT64_MAX));
  trial.promote_after = static_cast<uint64_t>(promote_after);
  TRY(trial.promote_time, canary.duration_or("promote_time", trial.promote_time));
  TRY_VOID(canary.finish());
  inference::TrialSpec probe = trial;  // with what every trial names itself
  probe.version = 1;
  probe.share = 1;
  if (auto fits = check(probe); !fits)
    return std::unexpected(map.error_at("canary", fits.error().message()));
  return {};
}

Result<void> read_capture(YamlMap& map, const std::string& source,
                          inference::CaptureOptions& capture) {
  if (!map.has("capture")) return {};
  TRY(YamlMap section, map.map("capture"));
  TRY(capture.directory, path_in(section, "directory", source));
  capture.agent += "/" + std::string(kVersion);
  if (capture.directory.empty())
    return std::unexpected(section.error_at("directory", "where the files go must be said"));
  TRY(capture.share, section.number_or("share", capture.share));
  if (!(capture.share > 0 && capture.share <= 100))
    return std::unexpected(section.error_at("share", "a percentage over 0, up to 100"));
  TRY(capture.models, section.texts_or("models", {}));
  TRY(const int64_t lines, section.integer_or("lines", 1000, 2, 100'000));
  capture.lines = static_cast<size_t>(lines);
  TRY(capture.after, section.duration_or("after", capture.after));
  TRY(capture.tensor, section.size_or("tensor", capture.tensor));
  TRY(capture.disk, section.size_or("disk", capture.disk));
  TRY(capture.memory, section.size_or("memory", capture.memory));
  return section.finish();
}

Result<void> read_drift(YamlMap& map, const std::string& source, inference::DriftOptions& drift) {
  TRY(YamlMap section, map.map("drift"));
  inference::DriftLimits& limits = drift.limits;
  const auto count = [&section](const char* key, uint64_t& into) -> Result<void> {
    TRY(const int64_t value, section.integer_or(key, static_cast<int64_t>(into), 1, 1'000'000));
    into = static_cast<uint64_t>(value);
    return {};
  };
  TRY(drift.directory, path_in(section, "directory", source));
  TRY(drift.share, section.number_or("share", drift.share));
  if (!(drift.share >= 0 && drift.share <= 100))
    return std::unexpected(section.error_at("share", "a percentage; 0: nothing is watched"));
  TRY_VOID(count("window", limits.window));
  limits.least = std::min(limits.least, limits.window);
  TRY_VOID(count("least", limits.least));
  TRY_VOID(count("features", limits.features));
  TRY(limits.after, section.duration_or("after", limits.after));
  TRY(limits.psi, section.number_or("psi", limits.psi));
  TRY(limits.ks, section.number_or("ks", limits.ks));
  TRY(limits.classes, section.number_or("classes", limits.classes));
  TRY(limits.alpha, section.number_or("alpha", limits.alpha));
  TRY(drift.memory, section.size_or("memory", drift.memory));
  TRY_VOID(section.finish());
  if (auto fits = check(limits); !fits)
    return std::unexpected(map.error_at("drift", fits.error().message()));
  return {};
}

}  // namespace

Result<ServeConfig> parse_serve_config(const std::string& text, const std::string& source) {
  ServeConfig config;
  TRY(YamlMap map, YamlMap::parse(text, source));
  TRY(config.data, map.text_or("data", ""));
  TRY(config.models, map.text_or("models", ""));
  TRY(config.drift.device, map.text_or("device", ""));
  TRY(YamlMap listen, map.map("listen"));
  TRY(config.http, listen.text_or("http", config.http));
  TRY(config.grpc, listen.text_or("grpc", config.grpc));
  TRY(config.local, listen.text_or("local", ""));
  TRY_VOID(listen.finish());
  TRY_VOID(read_local(map, config));
  TRY(const int64_t threads, map.integer_or("threads", 1, 1, 256));
  config.threads = static_cast<int>(threads);
  TRY(YamlMap scheduling, map.map("scheduling"));
  TRY(const int64_t lanes, scheduling.integer_or("lanes", 0, 0, 256));
  TRY(const int64_t queue, scheduling.integer_or("queue", 256, 1, 65536));
  TRY(config.merge, scheduling.flag_or("merge", true));
  TRY_VOID(scheduling.finish());
  config.lanes = static_cast<unsigned>(lanes);
  config.queue = static_cast<size_t>(queue);
  TRY(config.engine, map.text_or("engine", config.engine));
  TRY(YamlMap memory, map.map("memory"));
  TRY(config.memory, memory.size_or("budget", 0));
  TRY(config.pinned, memory.texts_or("pinned", {}));
  TRY_VOID(memory.finish());
  TRY_VOID(read_care(map, config.care));
  TRY(YamlMap tuning, map.map("tuning"));
  TRY(config.tune, tuning.flag_or("automatic", config.tune));
  TRY(config.tune_budget, tuning.duration_or("budget", config.tune_budget));
  TRY_VOID(tuning.finish());
  TRY_VOID(read_canary(map, config.care.trial));
  TRY_VOID(read_capture(map, source, config.capture));
  TRY_VOID(read_traces(map, source, config.traces));
  TRY_VOID(read_drift(map, source, config.drift));
  TRY_VOID(parse_access(map, source, config));
  TRY(config.uploads, map.flag_or("uploads", true));
  TRY(YamlMap sandbox, map.map("sandbox"));
  TRY(config.sandbox, sandbox.flag_or("enabled", config.sandbox));
  TRY(config.sandbox_time, sandbox.duration_or("time", config.sandbox_time));
  TRY_VOID(sandbox.finish());
  TRY(config.plain_http_beyond_loopback, map.flag_or("plain_http_beyond_loopback", false));
  TRY_VOID(map.finish());
  return config;
}

Result<ServeConfig> read_serve_config(int argc, char** argv) {
  std::string file, data, models, listen, engine, local, device;
  std::optional<std::string> grpc;
  const std::pair<const char*, std::string*> flags[] = {
      {"--config", &file},   {"--data", &data},   {"--models", &models}, {"--listen", &listen},
      {"--engine", &engine}, {"--local", &local}, {"--device", &device}};
  bool check_only = false, plain = false;
  for (int i = 1; i < argc; ++i) {
    if (argv[i] == std::string("--check")) {
      check_only = true;
      continue;
    }
    if (argv[i] == std::string("--plain-http-beyond-loopback")) {
      plain = true;
      continue;
    }
    if (argv[i] == std::string("--grpc") && i + 1 < argc) {
      grpc = argv[++i];
      continue;
    }
    std::string* into = nullptr;
    for (const auto& [flag, value] : flags) {
      if (argv[i] == std::string(flag)) into = value;
    }
    if (into == nullptr || i + 1 == argc) {
      return fail(
          Code::invalid_argument,
          std::string(
              "usage: holdfast serve [--check] [--config FILE] [--data DIR] [--models DIR] "
              "[--listen ADDRESS] [--grpc ADDRESS] [--local PATH] [--engine onnxruntime|openvino] "
              "[--device NAME] [--plain-http-beyond-loopback]; not understood: ") +
              argv[i]);
    }
    *into = argv[++i];
  }
  ServeConfig config;
  if (!file.empty()) {
    TRY(const std::string text, read_file(file, 1 << 20));
    TRY(config, parse_serve_config(text, file));
  }
  const auto over = [](std::string& value, const std::string& flag, const char* variable) {
    if (const char* text = std::getenv(variable)) value = text;
    if (!flag.empty()) value = flag;
  };
  over(config.data, data, "HOLDFAST_SERVE_DATA");
  over(config.models, models, "HOLDFAST_SERVE_MODELS");
  over(config.http, listen, "HOLDFAST_SERVE_LISTEN");
  over(config.local, local, "HOLDFAST_SERVE_LOCAL");
  over(config.engine, engine, "HOLDFAST_SERVE_ENGINE");
  over(config.drift.device, device, "HOLDFAST_SERVE_DEVICE");
  over(config.care.run, "", "HOLDFAST_SERVE_RUN");
  if (config.engine != "onnxruntime" && config.engine != "openvino")
    return fail(Code::invalid_argument,
                "engine: '" + config.engine + "' is not one of onnxruntime, openvino");
  over(config.grpc, "", "HOLDFAST_SERVE_GRPC");
  if (grpc) config.grpc = *grpc;  // also to nothing
  if (config.data.empty())
    return fail(Code::invalid_argument,
                "serve needs a data directory: --data DIR, or data: in its configuration");
  config.care.running_file = config.data + "/running";
  if (config.models.empty()) config.models = config.data + "/models";
  config.drift.state_file = config.data + "/drift.json";
  if (config.drift.directory.empty()) config.drift.directory = config.data + "/drift";
  config.plain_http_beyond_loopback = config.plain_http_beyond_loopback || plain;
  TRY_VOID(check_door("listen.http", config.http, config));
  if (!config.grpc.empty()) {
    TRY_VOID(check_door("listen.grpc", config.grpc, config));
  }
  config.check_only = check_only;
  return config;
}

}  // namespace holdfast
