// Who this device is to its hub, and the signatures that say so. Source: "Control access to IoT Hub
// by using shared access signatures"; GET /devices/{id}/modules/{id} of the service REST, which a
// device may call for itself.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "device_wire/address.h"
#include "net/http/client.h"

namespace holdfast::device {

struct Hub {
  std::string http;       // "https://hub.holdfast.internal:8443"
  std::string mqtt_host;  // whom its certificate names
  uint16_t mqtt_port = 8883;
  std::string name;                 // in signatures and user names: "hub.holdfast.internal"
  std::shared_ptr<TlsContext> tls;  // trusts the hub
};

// Any thread may call.
class Identity {
 public:
  // `key`: the device's own, base64. `client` and `clock` must outlive it. invalid_argument: a bad
  // id or key.
  static Result<std::unique_ptr<Identity>> open(Hub hub, std::string device, std::string key,
                                                http::Client& client, const Clock& clock);

  const std::string& device() const { return device_; }
  const Hub& hub() const { return hub_; }
  // "SharedAccessSignature …" of the device itself, for an hour.
  Result<std::string> signature() const;
  // The same of a module, with the key that the hub has for it now. not_found: there is no such
  // module; unauthenticated: the hub does not take the device's key; unavailable.
  Task<Result<std::string>> module_signature(std::string module) const;

 private:
  Identity(Hub hub, std::string device, std::string key, http::Client& client, const Clock& clock)
      : hub_(std::move(hub)),
        device_(std::move(device)),
        key_(std::move(key)),
        client_(client),
        clock_(clock) {}

  const Hub hub_;
  const std::string device_, key_;
  http::Client& client_;
  const Clock& clock_;
};

}  // namespace holdfast::device
