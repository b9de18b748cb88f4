#include "events/wire.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/bytes.h"
#include "base/digest.h"

namespace holdfast::events {
namespace {

namespace json = boost::json;

constexpr std::string_view kContainers = "/blobServices/default/containers/", kBlobs = "/blobs/";

json::object event_object(const StoredEvent& event, const Origins& origins) {
  json::object data;
  boost::system::error_code error;
  json::value parsed = json::parse(event.data, error);
  if (!error && parsed.is_object()) data = std::move(parsed.as_object());
  data["url"] = origins.url + path_of(event);
  data["sequencer"] = sequencer(event.seq);
  json::object diagnostics;
  diagnostics["batchId"] = event.id;
  data["storageDiagnostics"] = std::move(diagnostics);
  json::object out;
  out["topic"] = origins.topic + event.account;
  out["subject"] = event.subject;
  out["eventType"] = event.type;
  out["id"] = event.id;
  out["data"] = std::move(data);
  out["dataVersion"] = "";
  out["metadataVersion"] = "1";
  out["eventTime"] = format_rfc3339(event.at, 7);
  return out;
}

}  // namespace

Origins origins(std::string_view domain, std::string blob_url) {
  Origins out;
  out.topic = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/" +
              std::string(domain) + "/providers/Microsoft.Storage/storageAccounts/";
  out.url = std::move(blob_url);
  return out;
}

std::string path_of(const StoredEvent& event) {
  std::string_view rest = event.subject;
  if (!rest.starts_with(kContainers)) return "/" + event.account;
  rest.remove_prefix(kContainers.size());
  const size_t slash = rest.find('/');
  const std::string_view container = rest.substr(0, slash);
  std::string_view blob = slash == std::string_view::npos ? "" : rest.substr(slash);
  if (blob.starts_with(kBlobs)) blob.remove_prefix(kBlobs.size());
  return "/" + event.account + "/" + std::string(container) + "/" + percent_encode(blob, "/");
}

std::string to_json(std::span<const StoredEvent> events, const Origins& origins) {
  json::array all;
  for (const StoredEvent& event : events) all.push_back(event_object(event, origins));
  return json::serialize(all);
}

std::string dead_letter(const Retry& retry, std::string_view reason, WallTime now,
                        const Origins& origins) {
  json::object one = event_object(retry.event, origins);
  one["deadLetterReason"] = reason;
  one["deliveryAttempts"] = retry.attempts;
  one["lastDeliveryOutcome"] = retry.outcome;
  one["publishTime"] = format_rfc3339(retry.event.at, 7);
  one["lastDeliveryAttemptTime"] = format_rfc3339(retry.attempts > 0 ? retry.tried : now, 7);
  json::array all;
  all.push_back(std::move(one));
  return json::serialize(all);
}

std::string validation_event(std::string_view code, std::string_view subscription, WallTime now,
                             const Origins& origins) {
  json::object data;
  data["validationCode"] = code;
  json::object one;
  one["id"] = random_uuid();
  one["topic"] = origins.topic.substr(0, origins.topic.size() - 1);
  one["subject"] = subscription;
  one["data"] = std::move(data);
  one["eventType"] = "Microsoft.EventGrid.SubscriptionValidationEvent";
  one["eventTime"] = format_rfc3339(now, 7);
  one["metadataVersion"] = "1";
  one["dataVersion"] = "2";
  json::array all;
  all.push_back(std::move(one));
  return json::serialize(all);
}

bool validates(std::string_view body, std::string_view code) {
  boost::system::error_code error;
  const json::value answer = json::parse(body, error);
  const json::object* object = error ? nullptr : answer.if_object();
  if (object == nullptr) return false;
  for (const auto& [name, value] : *object) {
    if (equal_ignore_case(name, "validationResponse"))
      return value.is_string() && equal_constant_time(value.get_string(), code);
  }
  return false;
}

}  // namespace holdfast::events
