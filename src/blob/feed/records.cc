#include "blob/feed/records.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

#include "base/digest.h"
#include "blob/feed/avro.h"
#include "blob/feed_schema_json.h"

namespace holdfast::blob::feed {
namespace {

namespace json = boost::json;

constexpr std::string_view kIndex = "idx/segments/", kMeta = "/meta.json";
constexpr int64_t kSchemaVersion = 4;

std::optional<std::string> text_in(const json::object& from, std::string_view name) {
  const json::value* found = from.if_contains(name);
  if (found == nullptr || !found->is_string()) return std::nullopt;
  return std::string(found->get_string());
}

json::object diagnostics(WallTime now) {
  json::object out;
  out["version"] = 0;
  out["lastModifiedTime"] = format_rfc3339(now, 3);
  out["data"] = json::object();
  return out;
}

// In the order of the schema's fields.
std::string record(const events::StoredEvent& event, const events::Origins& origins) {
  json::object data;
  boost::system::error_code error;
  json::value parsed = json::parse(event.data, error);
  if (!error && parsed.is_object()) data = std::move(parsed.as_object());
  const std::string_view type = event.type;
  const size_t dot = type.rfind('.');
  avro::Encoder out;
  out.number(kSchemaVersion);
  out.text(origins.topic + event.account);
  out.text(event.subject);
  out.text(dot == std::string_view::npos ? type : type.substr(dot + 1));
  out.text(format_rfc3339(event.at, 7));
  out.text(event.id);
  for (const char* name : {"api", "clientRequestId", "requestId", "eTag", "contentType"})
    out.text(text_in(data, name).value_or(""));
  const json::value* length = data.if_contains("contentLength");
  out.number(length != nullptr && length->is_int64() ? length->get_int64() : 0);
  out.text(text_in(data, "blobType").value_or(""));
  out.optional_text(text_in(data, "blobVersion"));
  out.optional_text(text_in(data, "accessTier"));
  out.text(origins.url + events::path_of(event));
  out.text(events::sequencer(event.seq));
  std::vector<std::pair<std::string, std::string>> before;
  const json::value* previous = data.if_contains("previousInfo");
  if (previous != nullptr && previous->is_object()) {
    if (auto version = text_in(previous->get_object(), "version"))
      before.emplace_back("BlobVersion", *version);
    if (auto tier = text_in(previous->get_object(), "tier"))
      before.emplace_back("PreviousTier", *tier);
  }
  out.number(before.empty() ? 0 : 1);  // the union ["null", map]
  if (!before.empty()) out.map(before);
  out.optional_text(text_in(data, "snapshot"));
  out.map({{"bid", event.id}, {"seq", std::to_string(event.seq)}});
  return out.take();
}

}  // namespace

std::string hour_of(WallTime time) {
  std::string hour = format_rfc3339(time, 0).substr(0, 13) + "00";  // 2026-11-26T2100
  std::ranges::replace(hour, '-', '/');
  std::ranges::replace(hour, 'T', '/');
  return hour;
}
std::string segment_name(std::string_view hour) {
  return std::string(kIndex) + std::string(hour) + std::string(kMeta);
}
std::string log_folder(std::string_view hour) {
  return "log/00/" + std::string(hour) + "/";
}
std::string chunk_name(std::string_view hour, unsigned number) {
  const std::string digits = std::to_string(number);
  return log_folder(hour) + std::string(5 - std::min<size_t>(5, digits.size()), '0') + digits +
         ".avro";
}
std::string hour_of_segment(std::string_view name) {
  if (!name.starts_with(kIndex) || !name.ends_with(kMeta)) return "";
  name.remove_prefix(kIndex.size());
  name.remove_suffix(kMeta.size());
  return std::string(name);
}
WallTime begin_of(std::string_view hour) {
  if (hour.size() != 15) return {};
  std::string text(hour.substr(0, 13));  // 2026/11/26/21
  text[4] = text[7] = '-';
  text[10] = 'T';
  return parse_rfc3339(text + ":00:00Z").value_or(WallTime());
}

std::string chunk(std::span<const events::StoredEvent> all, const events::Origins& origins) {
  avro::File file(k_feed_schema_json, random_bytes(16));
  for (const events::StoredEvent& event : all) file.add(record(event, origins));
  return file.finish();
}

std::string segment(std::string_view hour, bool last, WallTime now) {
  json::object config;
  config["version"] = 0;
  config["configVersionEtag"] = "0x8D600000000000";
  config["numShards"] = 1;
  config["recordsFormat"] = "avro";
  config["formatSchemaVersion"] = kSchemaVersion;
  config["shardDistFnVersion"] = 1;
  json::object out;
  out["version"] = 0;
  out["begin"] = format_rfc3339(begin_of(hour), 3);
  out["intervalSecs"] = 3600;
  out["status"] = last ? "Publishing" : "Finalized";
  out["config"] = std::move(config);
  json::array paths;
  paths.emplace_back(std::string(kContainer) + "/" + log_folder(hour));
  out["chunkFilePaths"] = std::move(paths);
  out["storageDiagnostics"] = diagnostics(now);
  return json::serialize(out);
}

std::string segments(std::string_view last_hour, WallTime now) {
  json::object out;
  out["version"] = 0;
  out["lastConsumable"] = format_rfc3339(begin_of(last_hour), 3);
  out["storageDiagnostics"] = diagnostics(now);
  return json::serialize(out);
}

}  // namespace holdfast::blob::feed
