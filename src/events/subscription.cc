#include "events/subscription.h"

#include <algorithm>

namespace holdfast::events {
namespace {

bool good_name(std::string_view name) {
  return name.size() >= 3 && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-';
         });
}

}  // namespace

const std::vector<std::string>& known_types() {
  static const std::vector<std::string> types = {"Microsoft.Storage.BlobCreated",
                                                 "Microsoft.Storage.BlobDeleted",
                                                 "Microsoft.Storage.BlobTierChanged"};
  return types;
}

Result<Subscription> parse_subscription(std::string name, YamlMap& map) {
  Subscription out;
  out.name = std::move(name);
  TRY(out.url, map.text("url"));
  if (!good_name(out.name))
    return std::unexpected(map.error_at(
        "url", "a subscription's name is 3 to 64 letters, digits and hyphens; this is '" +
                   out.name + "'"));
  if (!out.url.starts_with("http://") && !out.url.starts_with("https://"))
    return std::unexpected(map.error_at("url", "must begin with https:// or http://"));
  TRY(out.account, map.text_or("account", ""));
  TRY(out.subject_begins, map.text_or("subject-begins-with", ""));
  TRY(out.subject_ends, map.text_or("subject-ends-with", ""));
  TRY(out.types, map.texts_or("types", {}));
  for (const std::string& type : out.types) {
    if (std::ranges::find(known_types(), type) == known_types().end()) {
      const std::string meant = nearest(type, known_types());
      return std::unexpected(
          map.error_at("types", "'" + type + "' is no type of event" +
                                    (meant.empty() ? "" : "; did you mean " + meant + "?")));
    }
  }
  TRY(const int64_t events, map.integer_or("events-per-delivery", out.per_delivery, 1, 500));
  out.per_delivery = static_cast<unsigned>(events);
  TRY(const int64_t attempts, map.integer_or("attempts", out.attempts, 1, 30));
  out.attempts = static_cast<unsigned>(attempts);
  TRY(const auto life, map.duration_or("event-life", out.life));
  if (life < std::chrono::minutes(1) || life > std::chrono::hours(24))
    return std::unexpected(map.error_at("event-life", "must be 1m to 24h"));
  out.life = std::chrono::ceil<std::chrono::seconds>(life);
  TRY(const std::string dead, map.text_or("dead-letter", ""));
  if (!dead.empty()) {
    const auto parts = split(dead, '/');
    if (parts.size() != 2 || parts[0].empty() || parts[1].empty())
      return std::unexpected(map.error_at("dead-letter", "is ACCOUNT/CONTAINER"));
    out.dead_letter_account = std::string(parts[0]);
    out.dead_letter_container = std::string(parts[1]);
  }
  return out;
}

bool listens(const Subscription& subscription, std::string_view account) {
  return subscription.account.empty() || subscription.account == account;
}

bool wants(const Subscription& subscription, const StoredEvent& event) {
  const auto& types = subscription.types.empty() ? known_types() : subscription.types;
  return listens(subscription, event.account) &&
         event.subject.starts_with(subscription.subject_begins) &&
         event.subject.ends_with(subscription.subject_ends) &&
         std::ranges::find(types, event.type) != types.end();
}

}  // namespace holdfast::events
