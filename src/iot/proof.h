// Whose own key signed a token: a device's, or a module's. Source: "Control access to IoT Hub by
// using shared access signatures".
#pragma once

#include "device_wire/sas.h"
#include "iot/devices.h"

namespace holdfast::iot {

// The identity that the token names, signed by its key, enabled, not expired. unauthenticated;
// denied (disabled). Any thread.
Result<Address> prove(const Devices& devices, const device_wire::SasToken& token,
                      const Clock& clock);

}  // namespace holdfast::iot
