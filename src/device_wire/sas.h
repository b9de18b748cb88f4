// Shared access signatures of devices, modules and service policies. Pure functions, any thread.
//   SharedAccessSignature sr=RESOURCE&sig=SIGNATURE&se=EXPIRY[&skn=POLICY]   (fields in any order)
// Source: "Control access to IoT Hub by using shared access signatures".
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "device_wire/address.h"

namespace holdfast::device_wire {

struct SasToken {
  std::string signed_text;  // sr as received + "\n" + se as received
  std::string resource;     // sr, decoded
  std::string signature;    // raw bytes
  std::string policy;       // skn; empty for a device's own key
  WallTime expires;
};
// invalid_argument. With or without the leading "SharedAccessSignature ".
Result<SasToken> parse_sas(std::string_view text);

// `keys` are base64 texts; any of them may have signed. unauthenticated: none did, or it has
// expired more than `skew` ago.
Result<void> verify_sas(const SasToken& token, std::span<const std::string> keys,
                        const Clock& clock, std::chrono::seconds skew = std::chrono::seconds(300));

// The resource of a device or module: "{host}/devices/{device}[/modules/{module}]".
std::string resource_of(std::string_view host, const Address& address);
// Same resource; hosts and ids compare without case.
bool same_resource(std::string_view a, std::string_view b);
// `outer` is `inner`, or a parent of it.
bool covers(std::string_view outer, std::string_view inner);

// `key` is base64: invalid_argument where it is not. `resource` is encoded here.
Result<std::string> make_sas(std::string_view resource, std::string_view key, WallTime expires,
                             std::string_view policy = "");

}  // namespace holdfast::device_wire
