#include "blob/tell.h"

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

#include "events/outbox.h"

namespace holdfast::blob {
namespace {

namespace json = boost::json;

// By hand, for each write pays for it.
class Object {
 public:
  void text(std::string_view name, std::string_view value) {
    raw(name, json::serialize(json::string_view(value.data(), value.size())));
  }
  void number(std::string_view name, uint64_t value) { raw(name, std::to_string(value)); }
  void raw(std::string_view name, std::string_view value) {
    out_ += out_.size() == 1 ? "\"" : ",\"";
    out_ += name;
    out_ += "\":";
    out_ += value;
  }
  std::string finish() && { return std::move(out_) + "}"; }

 private:
  std::string out_ = "{";
};

std::string etag_of(uint64_t etag) {
  char digits[24];
  return {digits, static_cast<size_t>(std::snprintf(digits, sizeof digits, "0x%016llX",
                                                    static_cast<unsigned long long>(etag)))};
}

std::string_view type_of(Change::Kind kind) {
  switch (kind) {
    case Change::created:
      return "Microsoft.Storage.BlobCreated";
    case Change::deleted:
      return "Microsoft.Storage.BlobDeleted";
    case Change::tier_changed:
      return "Microsoft.Storage.BlobTierChanged";
    case Change::properties:
      return "BlobPropertiesUpdated";
    case Change::snapshot_made:
      return "BlobSnapshotCreated";
    case Change::snapshot_deleted:
      return "BlobDeleted";
  }
  return "";
}

std::string_view content_type(const Info& info) {
  for (const auto& [name, value] : info.headers) {
    if (name == "Content-Type") return value;
  }
  return "application/octet-stream";
}

std::string_view tier_of(const Info& info) {
  return info.tier.empty() ? std::string_view("Hot") : std::string_view(info.tier);
}

// What the change feed says about the blob that was.
std::string previous(const Info& before) {
  Object out;
  out.text("eTag", etag_of(before.etag));
  if (before.version != WallTime()) out.text("version", format_rfc3339(before.version, 7));
  out.text("tier", tier_of(before));
  return std::move(out).finish();
}

}  // namespace

Result<void> tell(store::Tx& tx, const Blobs& blobs, const BlobKey& at, const Change& change,
                  const Info& info, const Conditions& conditions) {
  if (conditions.untold || at.container.starts_with('$') || !blobs.settings(at.account).events)
    return {};
  static constexpr std::string_view kinds[] = {"BlockBlob", "AppendBlob", "PageBlob"};
  Object data;
  data.text("api", change.api);
  if (conditions.asked) {
    data.text("clientRequestId", conditions.asked->client_request_id);
    data.text("requestId", conditions.asked->request_id);
  }
  data.text("eTag", etag_of(info.etag));
  data.text("contentType", content_type(info));
  data.number("contentLength", info.size);
  data.text("blobType", kinds[static_cast<size_t>(info.type)]);
  if (info.type == BlobType::block && change.kind != Change::deleted)
    data.text("accessTier", info.tier.empty() ? "Default" : info.tier);
  if (info.version != WallTime()) data.text("blobVersion", format_rfc3339(info.version, 7));
  if (info.snapshot != WallTime()) data.text("snapshot", format_rfc3339(info.snapshot, 7));
  if (change.kind == Change::tier_changed && change.before != nullptr)
    data.text("previousTier", tier_of(*change.before));
  if (change.before != nullptr) data.raw("previousInfo", previous(*change.before));
  const std::string text = std::move(data).finish();
  const std::string subject =
      "/blobServices/default/containers/" + at.container + "/blobs/" + at.name;
  events::Event event;
  event.at = blobs.clock().now();
  event.account = at.account;
  event.type = type_of(change.kind);
  event.subject = subject;
  event.data = text;
  return events::add(tx, event);
}

}  // namespace holdfast::blob
