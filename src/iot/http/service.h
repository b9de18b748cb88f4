// The service REST of IoT Hub. For hub.cc alone; other services call the domain.
// Source: "IoT Hub REST API", versions 2020-09-30 and 2021-04-12; any api-version is taken.
#pragma once

#include <boost/json/value.hpp>

#include <memory>

#include "iot/devices.h"
#include "iot/mqtt/gateway.h"
#include "iot/telemetry.h"
#include "iot/twins.h"
#include "net/http/router.h"

namespace holdfast::iot {

// What the routes share.
struct Service {
  Service(Devices& devices_, Twins& twins_, Telemetry& telemetry_, Gateway& gateway_,
          const Clock& clock_, http::Authenticator authenticator_)
      : devices(devices_),
        twins(twins_),
        telemetry(telemetry_),
        gateway(gateway_),
        clock(clock_),
        authenticator(std::move(authenticator_)) {}
  Devices& devices;
  Twins& twins;
  Telemetry& telemetry;
  Gateway& gateway;
  const Clock& clock;
  http::Authenticator authenticator;

  enum class Need { read, write };
  // unauthenticated, denied. `own` (a device, or one of its modules) may be read by its own SAS.
  Result<void> admit(const http::Request& request, Need need,
                     const std::optional<Address>& own = {}) const;
  boost::json::object describe(const Identity& identity) const;
  boost::json::object describe(const Twin& twin) const;
};

void mount_registry(http::Router& router, std::shared_ptr<Service> service);
void mount_twins(http::Router& router, std::shared_ptr<Service> service);  // and methods
void mount_telemetry(http::Router& router, std::shared_ptr<Service> service);

// {"Message":"ErrorCode:DeviceNotFound;…","ExceptionMessage":"Tracking ID:…"} and iothub-errorcode.
http::Response error_answer(const Error& error, const http::Request& request);

// The body as a JSON object whose fields are all in `known`. invalid_argument names the field.
Task<Result<boost::json::object>> body_object(http::Request& request,
                                              std::span<const std::string_view> known);
http::Response answer(unsigned status, const boost::json::value& value);
http::Response with_etag(http::Response response, std::string_view etag);
// If-Match without its quotes.
IfMatch if_match(const http::Request& request);
// {device} and {module} of the path.
Address address_of(const http::Request& request);

}  // namespace holdfast::iot
