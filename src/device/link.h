// One MQTT connection to the hub as a module of this device: messages upstream, and the requests of
// the module's own twin. Source: edge.md's topics ($iothub/twin/…, devices/…/messages/events/).
#pragma once

#include <boost/json/object.hpp>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "device/identity.h"
#include "device_wire/properties.h"
#include "net/mqtt/client.h"
#include "net/wake.h"

namespace holdfast::device {

// Any thread may call.
class Link {
 public:
  struct Calls {  // on the link's executor; either may be empty
    std::function<void(bool connected, const Error* why)> state;
    std::function<void(boost::json::object patch)> desired;  // without $version: it was unreadable
  };
  // `identity` must outlive it.
  Link(Executor executor, const Identity& identity, std::string module, Calls calls);
  ~Link();  // stop() must have finished

  void start();
  Task<void> stop();
  bool connected() const { return client_->connected(); }
  const std::string& module() const { return module_; }

  // A message of `module` ("": of the device itself); only $edgeHub's link may send for others. The
  // hub has it when this returns; timed_out: it may have, or get it later.
  Task<Result<void>> send(std::string module, device_wire::Properties properties, std::string body);
  // {"desired":{…},"reported":{…}}, each with its $version; from then on desired() is called for
  // each patch. unavailable, timed_out; invalid_argument: refused.
  Task<Result<boost::json::object>> twin();
  Task<Result<void>> patch_reported(boost::json::object patch);

 private:
  struct Pending {
    Wake answered;
    std::optional<int> status;  // under the link's mutex, as the body
    std::string body;
  };
  Task<Result<mqtt::Credentials>> credentials();
  Task<Result<void>> arrived(mqtt::Publish message);
  // Publishes and waits for the answer of this request id.
  Task<Result<std::string>> ask(std::string topic, std::string rid, std::string payload);
  Task<Result<void>> listen();  // to the twin's topics; the client renews them
  std::string next_rid();

  const Identity& identity_;
  const std::string module_;
  const Calls calls_;
  std::unique_ptr<mqtt::Client> client_;
  std::mutex mutex_;  // of all below
  uint64_t rids_ = 0;
  bool listening_ = false;
  std::map<std::string, std::shared_ptr<Pending>> pending_;  // by request id
};

}  // namespace holdfast::device
