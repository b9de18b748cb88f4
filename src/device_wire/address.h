// Who speaks: a device, or a module of one; the CONNECT user name; connection strings.
// Pure functions, any thread. Failures are invalid_argument.
// Source: "Use MQTT to establish communication with IoT Hub", and what the Python and C SDKs send.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::device_wire {

struct Address {
  std::string device;
  std::string module;  // empty: the device itself
  auto operator<=>(const Address&) const = default;
  // "press-07" or "press-07/camera": also the MQTT client id.
  std::string text() const { return module.empty() ? device : device + "/" + module; }
};
// 1–128 ASCII letters, digits and -.+%_#*?!(),:=@$' ; case matters.
Result<void> check_id(std::string_view id, std::string_view what);
// "device" or "device/module". Both ids are checked.
Result<Address> parse_address(std::string_view text);

struct ConnectName {
  std::string host;
  Address address;
  std::string api_version;  // any value; never empty
  std::string client_type;  // DeviceClientType; may be empty
  std::string model_id;     // may be empty
};
// "{host}/{device}[/{module}]/?api-version=V&…", also without '?' and without the slash before it.
Result<ConnectName> parse_connect_name(std::string_view username);
std::string format_connect_name(const ConnectName& name);

struct ConnectionString {
  std::string host;
  Address address;        // empty for a service's connection string
  std::string key_name;   // of a policy
  std::string key;        // base64; not for logs
  std::string signature;  // SharedAccessSignature; not for logs
  std::string gateway;    // where to connect instead of `host`; may be empty
};
// "HostName=…;DeviceId=…;SharedAccessKey=…". Unknown or doubled keys are errors.
Result<ConnectionString> parse_connection_string(std::string_view text);
std::string format_connection_string(const ConnectionString& value);

}  // namespace holdfast::device_wire
