#include "iot.h"

#include "iot/proof.h"

namespace holdfast {

http::Authenticator IotPart::authenticator(const identity::TokenIssuer& issuer,
                                           const std::unique_ptr<IotPart>& devices) {
  const auto tokens = issuer.authenticator();
  return [tokens, &devices](const http::Request& request) -> Result<http::Principal> {
    const std::string_view header = request.headers.get_or("Authorization", "");
    if (!header.starts_with("SharedAccessSignature ") || !request.path.starts_with("/v2/") ||
        !devices)
      return tokens(request);
    const auto token = device_wire::parse_sas(header);
    if (!token) return fail(Code::unauthenticated, token.error().message());
    TRY(const iot::Address who, iot::prove(devices->hub().devices(), *token, devices->clock_));
    return http::Principal{who.text(), "reader"};
  };
}

Result<std::unique_ptr<IotPart>> IotPart::open(const HubConfig& config, const Clock& clock,
                                               const identity::TokenIssuer& issuer,
                                               http::Router& router) {
  std::unique_ptr<IotPart> part(new IotPart(config, clock));
  TRY(part->database_, store::open_sqlite({config.data + "/db/iot.db"}));
  TRY(part->hub_, iot::Hub::open(*part->database_, clock));
  part->hub_->mount(router, issuer.authenticator());
  return part;
}

Result<void> IotPart::start(Runtime& runtime, std::shared_ptr<TlsContext> tls) {
  group_.spawn(runtime.next_executor(), "iot", hub_->run());
  if (config_.mqtt.empty()) return {};
  mqtt::ServerOptions options;
  options.address = config_.mqtt;
  options.tls = std::move(tls);
  TRY(server_, mqtt::Server::start(runtime, std::move(options), hub_->gateway(), clock_));
  return {};
}

void IotPart::stop() {
  if (server_) run_task(server_->stop(std::chrono::seconds(5)));
  group_.cancel();
  run_task(group_.join());
}

}  // namespace holdfast
