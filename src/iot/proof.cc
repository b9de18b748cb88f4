#include "iot/proof.h"

namespace holdfast::iot {
namespace {

// "host/devices/d[/modules/m]" as an address.
std::optional<Address> owner_of(std::string_view resource) {
  const auto parts = split(resource, '/');
  if (parts.size() == 3 && parts[1] == "devices") return Address{std::string(parts[2]), ""};
  if (parts.size() == 5 && parts[1] == "devices" && parts[3] == "modules")
    return Address{std::string(parts[2]), std::string(parts[4])};
  return std::nullopt;
}

}  // namespace

Result<Address> prove(const Devices& devices, const device_wire::SasToken& token,
                      const Clock& clock) {
  const auto owner = owner_of(token.resource);
  if (!owner) return fail(Code::unauthenticated, "the token names no device");
  const auto identity = devices.find(*owner);
  // Whether a device exists is not for those who can not prove to be it.
  if (!identity) return fail(Code::unauthenticated, "the signature is not right for this identity");
  TRY_VOID(device_wire::verify_sas(token, (*identity)->keys, clock));
  TRY_VOID(devices.admit(*owner));
  return *owner;
}

}  // namespace holdfast::iot
