#include "doors.h"

#include <algorithm>

#include "identity/authority.h"
#include "net/http/address.h"

namespace holdfast {

Result<std::shared_ptr<TlsContext>> door_tls(const HubConfig& config, const Clock& clock) {
  if (config.mqtt.empty() && config.https.empty()) return nullptr;
  TRY(const auto authority,
      identity::Authority::open(config.data + "/pki", config.domain + " local CA", clock));
  identity::Subject subject;
  subject.common_name = "hub." + config.domain;
  subject.names = {subject.common_name, "localhost"};
  subject.addresses = {"127.0.0.1", "::1"};
  // Clients that know the door by its address find it in the certificate.
  for (const std::string& door : {config.mqtt, config.https}) {
    if (door.empty()) continue;
    TRY(const auto at, http::parse_host_port(door));
    const bool any = at.host == "0.0.0.0" || at.host == "::" || at.host == "localhost";
    if (!any && std::ranges::find(subject.addresses, at.host) == subject.addresses.end())
      subject.addresses.push_back(at.host);
  }
  for (const std::string& name : config.names) {
    const bool address = name.find_first_not_of("0123456789.") == std::string::npos ||
                         name.find(':') != std::string::npos;
    (address ? subject.addresses : subject.names).push_back(name);
  }
  return authority->server_tls("hub", subject);
}

Result<Doors> Doors::open(Runtime& runtime, const HubConfig& config,
                          std::shared_ptr<TlsContext> tls, const http::Router& api,
                          const http::Router& blob) {
  http::ServerOptions blob_options{
      .name = "blob", .address = config.blob, .max_body_bytes = 5001ull << 20};
  http::ServerOptions http_options{
      .name = "hub", .address = config.http, .max_body_bytes = 1 << 20};
  Doors doors;
  TRY(doors.blob_, http::Server::start(runtime, blob_options, blob));
  TRY(doors.http_, http::Server::start(runtime, http_options, api));
  if (config.https.empty()) return doors;
  http_options.name = "https";
  http_options.address = config.https;
  http_options.tls = std::move(tls);
  TRY(doors.https_, http::Server::start(runtime, http_options, api));
  return doors;
}

void Doors::stop() {
  run_task(http_->stop(std::chrono::seconds(5)));
  if (https_) run_task(https_->stop(std::chrono::seconds(5)));
  run_task(blob_->stop(std::chrono::seconds(10)));
}

}  // namespace holdfast
