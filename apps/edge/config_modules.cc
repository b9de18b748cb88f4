#include "config.h"
#include "net/http/address.h"

namespace holdfast {

Result<void> read_modules(YamlMap& top, YamlMap& listen, EdgeConfig& config) {
  TRY(config.mqtt, listen.text_or("mqtt", config.mqtt));
  const auto at = http::parse_host_port(config.mqtt);
  if (!at) return std::unexpected(listen.error_at("mqtt", at.error().message()));
  const bool everywhere = at->host == "0.0.0.0" || at->host == "::";
  TRY(config.hostname, top.text_or("hostname", everywhere ? "" : at->host));
  if (config.hostname.empty())
    return std::unexpected(listen.error_at(
        "mqtt", "listens on every address; then hostname: must say by which name modules find it"));
  if (config.hostname.find_first_of(";=/ ") != std::string::npos)
    return std::unexpected(top.error_at("hostname", "must be a host name or an address"));
  TRY(YamlMap containers, top.map("containers"));
  if (top.has("containers")) {
    TRY(config.engine, containers.text("socket"));
    if (!config.engine.starts_with('/'))
      return std::unexpected(containers.error_at("socket", "must be an absolute path"));
  }
  TRY_VOID(containers.finish());
  TRY(config.processes, top.flag_or("processes", false));
  return {};
}

}  // namespace holdfast
