// The device hub as one part: what apps/hub makes, and what the hub's other services call.
#pragma once

#include <memory>

#include "iot/devices.h"
#include "iot/mqtt/gateway.h"
#include "iot/telemetry.h"
#include "iot/twins.h"
#include "net/http/router.h"

namespace holdfast::iot {

// Any thread may call. `database` (iot.db) and `clock` must outlive it.
class Hub {
 public:
  static Result<std::unique_ptr<Hub>> open(store::Database& database, const Clock& clock,
                                           Retention retention = {});

  Devices& devices() { return *devices_; }
  Twins& twins() { return twins_; }
  Telemetry& telemetry() { return telemetry_; }
  Gateway& gateway() { return gateway_; }  // the Handler of the MQTT server

  // Writes presence every few seconds, drops old telemetry; until cancelled.
  Task<void> run();

  // The service REST of IoT Hub (/devices, /twins, …), GET /api/v1/devices/{id}/telemetry, and for
  // administrators GET /api/v1/policies/{name}.
  // Requests are let in by a policy's SAS, an administrator's bearer token through `authenticator`,
  // or, for reading its own identity and modules, by a device's SAS.
  void mount(http::Router& router, http::Authenticator authenticator);

 private:
  Hub(store::Database& database, const Clock& clock, Retention retention,
      std::unique_ptr<Devices> devices);
  const Clock& clock_;
  std::unique_ptr<Devices> devices_;
  Twins twins_;
  Telemetry telemetry_;
  Subscriptions subscriptions_;
  Gateway gateway_;
};

}  // namespace holdfast::iot
