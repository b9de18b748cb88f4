// A message between modules, or on its way to the hub. Plain values, any thread.
#pragma once

#include <string>

#include "base/clock.h"
#include "device_wire/properties.h"

namespace holdfast::broker {

struct Message {
  std::string device, module;          // the sender
  std::string output;                  // of a module; empty: none named
  device_wire::Properties properties;  // system ones begin with "$."
  std::string body;
};

// "/messages/modules/{module}/outputs/{output}", "/messages/modules/{module}/", "/messages/": what
// a route's source is matched with.
std::string source_of(const Message& message);

}  // namespace holdfast::broker
