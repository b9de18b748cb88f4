#include "base/secret.h"
#include "config.h"
#include "net/http/address.h"

namespace holdfast {

Result<HubLink> read_hub_link(YamlMap& top, const std::string& folder) {
  HubLink hub;
  if (!top.has("hub")) return hub;
  TRY(YamlMap map, top.map("hub"));
  TRY(hub.http, map.text("http"));
  const auto url = http::parse_url(hub.http);
  if (!url) return std::unexpected(map.error_at("http", "must be an http:// or https:// URL"));
  while (hub.http.ends_with('/')) hub.http.pop_back();
  TRY(const std::string mqtt, map.text("mqtt"));
  const auto at = http::parse_host_port(mqtt);
  if (!at || at->port == 0)
    return std::unexpected(map.error_at("mqtt", "must be HOST:PORT of the hub's device door"));
  hub.mqtt_host = at->host;
  hub.mqtt_port = at->port;
  for (const auto& [name, into] : {std::pair("ca", &hub.ca), {"key", &hub.key}}) {
    TRY(const std::string reference, map.text(name));
    auto value = resolve_secret(reference, folder);
    if (!value) return std::unexpected(map.error_at(name, value.error().message()));
    *into = std::move(*value);
  }
  TRY_VOID(map.finish());
  return hub;
}

}  // namespace holdfast
