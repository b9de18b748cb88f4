// What the broker keeps of a connection and of a module. For broker/*.cc alone.
#pragma once

#include "broker/broker.h"
#include "device_wire/address.h"

namespace holdfast::broker {

struct Broker::Client {
  device_wire::Address address;
  bool keeps_session = false;
};

struct Broker::Module {
  std::shared_ptr<mqtt::Session> session;  // the newest
  bool connected = false;
  WallTime connected_at{}, disconnected_at{};
  bool pumping = false;  // its task runs
  bool syncing = false;  // its task runs
  bool wants_whole = false, wants_patch = false;
};

}  // namespace holdfast::broker
