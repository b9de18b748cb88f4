#include "config.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "base/secret.h"
#include "base/yaml.h"
#include "net/http/address.h"

namespace holdfast {
namespace {

using std::chrono::milliseconds;

std::string beneath(const std::string& folder, const std::string& path) {
  return std::filesystem::path(path).is_absolute()
             ? path
             : (std::filesystem::path(folder) / path).string();
}

template <class List, class Name>
auto find_named(List& list, const Name& name) {
  return std::find_if(list.begin(), list.end(), [&](const auto& item) { return name(item); });
}

Result<const shares::ShareConfig*> share_named(const EdgeConfig& config, YamlMap& map,
                                               std::string_view key,
                                               std::optional<shares::ShareKind> kind) {
  TRY(const std::string name, map.text(key));
  const auto found =
      find_named(config.shares, [&](const auto& share) { return share.name.str() == name; });
  if (found == config.shares.end())
    return std::unexpected(map.error_at(key, "there is no share '" + name + "'"));
  if (kind && found->kind != *kind)
    return std::unexpected(map.error_at(key, "'" + name + "' is not a local share"));
  return &*found;
}

Result<void> read_accounts(YamlMap& top, const std::string& folder, EdgeConfig& config) {
  TRY(std::vector<YamlMap> list, top.maps("accounts"));
  for (YamlMap& map : list) {
    StorageAccount account;
    TRY(account.name, map.text("name"));
    TRY(account.endpoint, map.text("endpoint"));
    if (!http::parse_url(account.endpoint))
      return std::unexpected(map.error_at("endpoint", "must be an http:// or https:// URL"));
    TRY(const std::string reference, map.text("key"));
    TRY_VOID(map.finish());
    auto key = resolve_secret(reference, folder);
    if (!key) return std::unexpected(map.error_at("key", key.error().message()));
    account.key = std::move(*key);
    if (std::ranges::any_of(config.accounts,
                            [&](const auto& other) { return other.name == account.name; }))
      return std::unexpected(map.error_at("name", "'" + account.name + "' is there twice"));
    config.accounts.push_back(std::move(account));
  }
  return {};
}

// How long an uploaded file stays: "forever", or a time.
Result<void> read_keep(YamlMap& map, shares::ShareConfig& share) {
  TRY(const std::string text, map.text_or("keep", "forever"));
  if (text == "forever") return {};
  if (share.kind != shares::ShareKind::cloud)
    return std::unexpected(map.error_at("keep", "is for cloud shares; in a local one files stay"));
  const auto time = parse_duration(text);
  if (!time)
    return std::unexpected(map.error_at("keep", "must be forever, or a time such as 168h"));
  share.keep = *time;
  return {};
}

Result<void> read_shares(YamlMap& top, EdgeConfig& config) {
  TRY(std::vector<YamlMap> list, top.maps("shares"));
  for (YamlMap& map : list) {
    shares::ShareConfig share;
    TRY(const std::string name, map.text("name"));
    auto parsed = shares::parse_share_name(name);
    if (!parsed) return std::unexpected(map.error_at("name", parsed.error().message()));
    share.name = *parsed;
    TRY(const std::string kind, map.text("kind"));
    if (kind != "local" && kind != "cloud")
      return std::unexpected(map.error_at("kind", "must be local or cloud"));
    share.kind = kind == "cloud" ? shares::ShareKind::cloud : shares::ShareKind::local;
    TRY(const std::string path, map.text_or("path", name));
    share.path = beneath(config.data + "/shares", path);
    TRY(share.quiet, map.duration_or("quiet", share.quiet));
    if (share.kind == shares::ShareKind::cloud) {
      TRY(share.account, map.text("account"));
      TRY(share.container, map.text_or("container", name));
      if (std::ranges::none_of(config.accounts,
                               [&](const auto& account) { return account.name == share.account; }))
        return std::unexpected(
            map.error_at("account", "there is no account '" + share.account + "'"));
    }
    TRY_VOID(read_keep(map, share));
    TRY_VOID(map.finish());
    for (const shares::ShareConfig& other : config.shares) {
      if (other.name == share.name)
        return std::unexpected(map.error_at("name", "'" + name + "' is there twice"));
      if (other.path == share.path)
        return std::unexpected(
            map.error_at("path", "is that of the share '" + other.name.str() + "' too"));
    }
    config.shares.push_back(std::move(share));
  }
  return {};
}

Result<void> read_transforms(YamlMap& top, const std::string& folder, EdgeConfig& config) {
  TRY(std::vector<YamlMap> list, top.maps("transforms"));
  for (YamlMap& map : list) {
    answers::FlowConfig flow;
    flow.device = config.device;
    TRY(flow.transform, map.text("name"));
    if (!shares::parse_share_name(flow.transform))
      return std::unexpected(
          map.error_at("name", "must be 3 to 63 lower-case letters, digits and single hyphens"));
    if (std::ranges::any_of(config.flows,
                            [&](const auto& other) { return other.transform == flow.transform; }))
      return std::unexpected(map.error_at("name", "'" + flow.transform + "' is there twice"));
    TRY(const shares::ShareConfig* share,
        share_named(config, map, "share", shares::ShareKind::local));
    flow.share = *share;
    TRY(const std::string recipe, map.text("recipe"));
    flow.recipe_file = beneath(folder, recipe);
    auto text = read_file(flow.recipe_file, 1 << 20);
    if (!text) return std::unexpected(map.error_at("recipe", text.error().message()));
    TRY(flow.recipe, transform::parse_recipe(*text, flow.recipe_file));
    if (!flow.recipe.shape())
      return std::unexpected(map.error_at(
          "recipe",
          "its tensors have no fixed shape: it needs decode with color gray or rgb, and resize"));
    TRY(const int64_t in_flight, map.integer_or("in_flight", 4, 1, 64));
    flow.in_flight = static_cast<size_t>(in_flight);
    if (map.has("to")) {
      TRY(const shares::ShareConfig* to, share_named(config, map, "to", std::nullopt));
      if (to->path == flow.share.path)
        return std::unexpected(map.error_at("to", "must be another share"));
      flow.batches.emplace();
      flow.batches->to = to->name.str();
      flow.batches->folder = to->path;
      TRY(YamlMap batch, map.map("batch"));
      TRY(const int64_t rows, batch.integer_or("rows", 256, 1, 65536));
      flow.batches->limits.rows = static_cast<size_t>(rows);
      TRY(flow.batches->limits.after, batch.duration_or("after", milliseconds(10000)));
      TRY_VOID(batch.finish());
    }
    TRY_VOID(map.finish());
    config.flows.push_back(std::move(flow));
  }
  return {};
}

Result<void> read_answers(YamlMap& top, EdgeConfig& config) {
  TRY(std::vector<YamlMap> list, top.maps("answers"));
  for (YamlMap& map : list) {
    answers::AnswerTarget target;
    TRY(target.name, map.text("name"));
    TRY(const std::string transform, map.text("transform"));
    const auto flow =
        find_named(config.flows, [&](const auto& other) { return other.transform == transform; });
    if (flow == config.flows.end())
      return std::unexpected(
          map.error_at("transform", "there is no transform '" + transform + "'"));
    if (flow->answers)
      return std::unexpected(map.error_at("transform", "'" + transform + "' is answered already"));
    TRY(target.model, map.text("model"));
    TRY(const shares::ShareConfig* to, share_named(config, map, "to", std::nullopt));
    if (to->path == flow->share.path)
      return std::unexpected(map.error_at("to", "must be another share"));
    target.to = to->name.str();
    target.folder = to->path;
    TRY(const int64_t lines, map.integer_or("lines", 1000, 1, 100000));
    target.lines = static_cast<size_t>(lines);
    TRY(target.after, map.duration_or("after", milliseconds(10000)));
    TRY_VOID(map.finish());
    for (const auto& other : config.flows)
      if (other.answers && other.answers->name == target.name)
        return std::unexpected(map.error_at("name", "'" + target.name + "' is there twice"));
    flow->answers = std::move(target);
    config.serve.wanted = true;
  }
  return {};
}

Result<void> read_serve(YamlMap& top, const std::string& folder, EdgeConfig& config) {
  if (top.has("serve")) config.serve.wanted = true;
  TRY(YamlMap map, top.map("serve"));
  TRY(config.serve.listen, map.text_or("listen", config.serve.listen));
  TRY(config.serve.grpc, map.text_or("grpc", ""));
  TRY(const std::string models, map.text_or("models", config.data + "/models"));
  config.serve.models = beneath(folder, models);
  TRY(const std::string more, map.text_or("config", ""));
  if (!more.empty()) config.serve.config = beneath(folder, more);
  TRY(config.serve.managed, map.flag_or("managed", true));
  TRY(config.serve.local,
      map.text_or("local", config.serve.managed ? config.data + "/serve/local.sock" : ""));
  if (!config.serve.local.empty()) config.serve.local = beneath(folder, config.serve.local);
  TRY_VOID(map.finish());
  if (!more.empty() && !config.serve.managed)
    return std::unexpected(map.error_at("config", "is for a server that this edge starts itself"));
  const auto at = http::parse_host_port(config.serve.listen);
  if (!at) return std::unexpected(map.error_at("listen", at.error().message()));
  if (!config.serve.grpc.empty()) {
    if (!config.serve.managed)
      return std::unexpected(map.error_at("grpc", "is for a server that this edge starts itself"));
    const auto grpc = http::parse_host_port(config.serve.grpc);
    if (!grpc) return std::unexpected(map.error_at("grpc", grpc.error().message()));
  }
  if (!config.serve.managed && at->port == 0)
    return std::unexpected(map.error_at("listen", "needs a port where managed is false"));
  return {};
}

}  // namespace

Result<EdgeConfig> parse_edge_config(const std::string& text, const std::string& source,
                                     const EdgeOverrides& overrides) {
  const std::string folder = std::filesystem::absolute(source).parent_path();
  EdgeConfig config;
  TRY(YamlMap map, YamlMap::parse(text, source));
  TRY(config.device, map.text_or("device", "edge"));
  TRY(config.data, map.text_or("data", ""));
  if (!overrides.data.empty()) config.data = overrides.data;
  if (config.data.empty())
    return std::unexpected(map.error_at("data", "is required, here or as --data DIR"));
  config.data = std::filesystem::absolute(config.data).lexically_normal();
  TRY(YamlMap listen, map.map("listen"));
  TRY(config.http, listen.text_or("http", config.http));
  TRY_VOID(read_modules(map, listen, config));
  TRY_VOID(listen.finish());
  if (!overrides.listen.empty()) config.http = overrides.listen;
  TRY(const auto at, http::parse_host_port(config.http));
  if (at.host != "localhost" && at.host != "::1" && !at.host.starts_with("127."))
    return std::unexpected(
        listen.error_at("http", config.http + " is not loopback, and this door has no TLS; listen "
                                              "on 127.0.0.1 and put a TLS proxy before it"));
  TRY_VOID(read_accounts(map, folder, config));
  TRY_VOID(read_shares(map, config));
  TRY_VOID(read_transforms(map, folder, config));
  TRY_VOID(read_answers(map, config));
  TRY_VOID(read_serve(map, folder, config));
  TRY(config.hub, read_hub_link(map, folder));
  if (!config.hub.http.empty()) config.serve.wanted = true;  // for the models of deployments
  TRY_VOID(map.finish());
  return config;
}

Result<EdgeConfig> read_edge_config(int argc, char** argv) {
  std::string file;
  bool check_only = false;
  EdgeOverrides overrides;
  if (const char* data = std::getenv("HOLDFAST_EDGE_DATA")) overrides.data = data;
  if (const char* listen = std::getenv("HOLDFAST_EDGE_LISTEN")) overrides.listen = listen;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--check") {
      check_only = true;
      continue;
    }
    std::string* into = word == "--config"   ? &file
                        : word == "--data"   ? &overrides.data
                        : word == "--listen" ? &overrides.listen
                                             : nullptr;
    if (!into || i + 1 == argc)
      return fail(Code::invalid_argument,
                  "usage: holdfast edge [--check] [--config FILE] [--data DIR] [--listen ADDRESS]; "
                  "not understood: " +
                      word);
    *into = argv[++i];
  }
  std::string text;
  if (!file.empty()) {
    TRY(text, read_file(file, 1 << 20));
  }
  TRY(EdgeConfig config, parse_edge_config(text, file.empty() ? "edge.yaml" : file, overrides));
  config.check_only = check_only;
  return config;
}

}  // namespace holdfast
