// What a subscription wants, as `events.subscriptions` in hub.yaml has it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/yaml.h"
#include "events/outbox.h"

namespace holdfast::events {

struct Subscription {
  std::string name;
  std::string account;  // "": of all
  std::string url;
  std::string subject_begins, subject_ends;
  std::vector<std::string> types;  // empty: all
  unsigned per_delivery = 1;       // events in one request at most
  unsigned attempts = 30;
  std::chrono::seconds life{std::chrono::hours(24)};       // of an event that is not taken
  std::string dead_letter_account, dead_letter_container;  // "": such events are dropped
};

// The types that can be asked for.
const std::vector<std::string>& known_types();
// invalid_argument with the place of what is wrong.
Result<Subscription> parse_subscription(std::string name, YamlMap& map);
bool wants(const Subscription& subscription, const StoredEvent& event);
// Whether events of this account may be for it.
bool listens(const Subscription& subscription, std::string_view account);

}  // namespace holdfast::events
