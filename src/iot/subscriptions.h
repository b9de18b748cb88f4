// The subscriptions of sessions that outlive their connections (CleanSession=0), so that a client
// finds its session after a restart of the hub. Any thread may call.
#pragma once

#include <vector>

#include "iot/types.h"
#include "net/mqtt/packet.h"
#include "store/database/database.h"

namespace holdfast::iot {

class Subscriptions {
 public:
  explicit Subscriptions(store::Database& database) : database_(database) {}

  Task<Result<std::vector<mqtt::Subscription>>> of(Address address);
  Task<Result<void>> add(Address address, mqtt::Subscription subscription);
  Task<Result<void>> remove(Address address, std::string filter);
  Task<Result<void>> clear(Address address);

 private:
  store::Database& database_;
};

}  // namespace holdfast::iot
