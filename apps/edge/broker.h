// The local hub of this device: the broker, its TLS door for modules, and what file events say to
// them.
#pragma once

#include <memory>

#include "broker/broker.h"
#include "broker/file_source.h"
#include "config.h"
#include "net/mqtt/server.h"

namespace holdfast {

class BrokerPart {
 public:
  struct Parts {
    const EdgeConfig& config;
    store::Database& database;
    shares::FileEvents& events;
    const Clock& clock;
    broker::Upstream& upstream;
    std::shared_ptr<TlsContext> tls;  // of the door
    // Of a module of the deployment; none: it is not let in.
    std::function<std::vector<std::string>(const std::string& module)> keys;
  };
  // Before the shares' watchers start. All of `parts` must outlive it.
  static Result<std::unique_ptr<BrokerPart>> open(Parts parts);
  // Opens the door. conflict: the address is taken.
  Result<void> start(Runtime& runtime, Executor executor, TaskGroup& group);
  void stop();  // closes it; before the group ends

  broker::Broker& broker() { return *broker_; }
  std::string address() const { return server_ ? server_->address() : ""; }

 private:
  explicit BrokerPart(Parts parts) : parts_(std::move(parts)) {}
  Parts parts_;
  std::unique_ptr<broker::Broker> broker_;
  std::unique_ptr<broker::FileSource> files_;
  std::unique_ptr<mqtt::Server> server_;
};

}  // namespace holdfast
