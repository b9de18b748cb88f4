// The device hub as a part of the program: its database, its routes and its MQTT door.
#pragma once

#include <memory>
#include <string>

#include "config.h"
#include "identity/tokens.h"
#include "iot/hub.h"
#include "net/mqtt/server.h"
#include "net/task_group.h"

namespace holdfast {

class IotPart {
 public:
  // As `issuer` has it; besides, a device may pull images with its own signature. `devices` is null
  // until there is a device hub; both must outlive it.
  static http::Authenticator authenticator(const identity::TokenIssuer& issuer,
                                           const std::unique_ptr<IotPart>& devices);

  // Opens <data>/db/iot.db and adds the routes to `router`. All must outlive it.
  static Result<std::unique_ptr<IotPart>> open(const HubConfig& config, const Clock& clock,
                                               const identity::TokenIssuer& issuer,
                                               http::Router& router);
  // Opens the MQTT door, where it is configured.
  Result<void> start(Runtime& runtime, std::shared_ptr<TlsContext> tls);
  void stop();

  std::string address() const { return server_ ? server_->address() : ""; }
  iot::Hub& hub() { return *hub_; }

 private:
  IotPart(const HubConfig& config, const Clock& clock) : config_(config), clock_(clock) {}
  const HubConfig& config_;
  const Clock& clock_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<iot::Hub> hub_;
  std::unique_ptr<mqtt::Server> server_;
  TaskGroup group_;
};

}  // namespace holdfast
