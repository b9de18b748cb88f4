#include "doors.h"

#include "identity/authority.h"
#include "net/http/address.h"

namespace holdfast {

Result<std::shared_ptr<TlsContext>> door_tls(const HubConfig& config, const Clock& clock) {
  if (config.mqtt.empty() && config.https.empty() && config.blob_https.empty()) return nullptr;
  TRY(const auto authority,
      identity::Authority::open(config.data + "/pki", config.domain + " local CA", clock));
  identity::Subject subject;
  subject.common_name = "hub." + config.domain;
  subject.names = {subject.common_name, "localhost"};
  if (!config.blob_https.empty()) subject.names.push_back("*.blob." + config.domain);
  subject.addresses = {"127.0.0.1", "::1"};
  // Clients that know the door by its address find it in the certificate.
  for (const std::string& door : {config.mqtt, config.https, config.blob_https}) {
    if (door.empty()) continue;
    TRY(const auto at, http::parse_host_port(door));
    subject.add(at.host);
  }
  for (const std::string& name : config.names) subject.add(name);
  return authority->server_tls("hub", subject);
}

Result<Doors> Doors::open(Runtime& runtime, const HubConfig& config,
                          std::shared_ptr<TlsContext> tls, const http::Router& api) {
  http::ServerOptions options{.name = "hub", .address = config.http, .max_body_bytes = 1 << 20};
  Doors doors;
  TRY(doors.http_, http::Server::start(runtime, options, api));
  if (config.https.empty()) return doors;
  options.name = "https";
  options.address = config.https;
  options.tls = std::move(tls);
  TRY(doors.https_, http::Server::start(runtime, options, api));
  return doors;
}

Result<void> Doors::open_blob(Runtime& runtime, const HubConfig& config,
                              std::shared_ptr<TlsContext> tls, const http::Router& blob) {
  http::ServerOptions options{
      .name = "blob", .address = config.blob, .max_body_bytes = 5001ull << 20};
  options.max_connections = http::connections_of_each(config.blob_https.empty() ? 1 : 2);
  TRY(blob_, http::Server::start(runtime, options, blob));
  if (config.blob_https.empty()) return {};
  options.name = "blob-https";
  options.address = config.blob_https;
  options.tls = std::move(tls);
  TRY(blob_https_, http::Server::start(runtime, options, blob));
  return {};
}

void Doors::stop() {
  for (const auto* door : {&http_, &https_})
    if (*door) run_task((*door)->stop(std::chrono::seconds(5)));
  for (const auto* door : {&blob_, &blob_https_})
    if (*door) run_task((*door)->stop(std::chrono::seconds(10)));
}

}  // namespace holdfast
