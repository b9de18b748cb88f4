// One subscription's deliveries: asks the webhook once, tells it each event, tries again what it
// did not take, and puts aside what it never will.
#pragma once

#include <atomic>

#include "events/webhook.h"
#include "events/wire.h"
#include "net/wake.h"

namespace holdfast::events {

// Keeps a dead letter, durably.
using Bury = std::function<Task<Result<void>>(std::string account, std::string container,
                                              std::string name, std::string body)>;

struct DeliveryParts {
  store::Database* database = nullptr;
  const Clock* clock = nullptr;
  Post post;
  Bury bury;
  Origins origins;
};

// Its consumer is the subscription's name. run() and step(): one task at a time; wake(): any
// thread.
class Delivery {
 public:
  Delivery(Subscription subscription, DeliveryParts parts)
      : subscription_(std::move(subscription)), parts_(std::move(parts)) {}

  // One round over what there is; how long nothing new is to be done unless it is woken. Fails
  // where the database does.
  Task<Result<std::chrono::milliseconds>> step();
  Task<void> run();  // until it is cancelled
  void wake() {
    if (!woken_.exchange(true)) wake_.notify();
  }

 private:
  Task<Result<Posted>> post(std::string body, std::string_view kind, int64_t delivery);
  Task<bool> validate();
  Task<Result<void>> again();
  Task<Result<bool>> tell_new(int64_t from);
  // What is left to be done about an event after an attempt: nothing, or a later one.
  Task<std::optional<Retry>> settle(Retry retry, const Outcome& outcome);

  const Subscription subscription_;
  const DeliveryParts parts_;
  Wake wake_;
  std::atomic<bool> woken_{false};
  WallTime quiet_until_;  // the webhook is left alone with what is new
  int64_t failures_ = 0;  // in a row, of what is new or of the question
};

}  // namespace holdfast::events
