// Events as the Event Grid schema has them.
#pragma once

#include <span>
#include <string>

#include "events/outbox.h"

namespace holdfast::events {

// Of whose storage an event tells: what is before the account's name in a topic, and what is before
// /ACCOUNT/CONTAINER/BLOB in a blob's URL.
struct Origins {
  std::string topic;  // "/subscriptions/…/storageAccounts/"
  std::string url;    // "http://127.0.0.1:10000"
};
Origins origins(std::string_view domain, std::string blob_url);

// A JSON array; each with topic, subject, eventType, id, eventTime, data, dataVersion and
// metadataVersion.
std::string to_json(std::span<const StoredEvent> events, const Origins& origins);
// The same of one, with why it could not be delivered, as a dead letter has it.
std::string dead_letter(const Retry& retry, std::string_view reason, WallTime now,
                        const Origins& origins);
// The event that asks a webhook whether it wants to be told.
std::string validation_event(std::string_view code, std::string_view subscription, WallTime now,
                             const Origins& origins);
// Whether `body` is the answer to it.
bool validates(std::string_view body, std::string_view code);
// "/ACCOUNT/CONTAINER/BLOB", encoded, of an event's subject.
std::string path_of(const StoredEvent& event);

}  // namespace holdfast::events
