#include "blob/http/history.h"
#include "blob/http/operations.h"
#include "blob/http/xml.h"
#include "blob/tiers.h"

namespace holdfast::blob {
namespace {

constexpr uint64_t kTagsLimit = 64 << 10;
constexpr std::string_view kTiers[] = {"Hot", "Cool", "Cold", kArchive};

}  // namespace

Result<Pairs> tags_of(const http::Request& request) {
  Pairs tags;
  const auto header = request.headers.get("x-ms-tags");
  if (!header || header->empty()) return tags;
  for (const auto pair : split(*header, '&')) {
    const size_t equals = pair.find('=');
    auto name = percent_decode(pair.substr(0, equals), true);
    auto value = percent_decode(
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), true);
    if (!name || !value)
      return fail(Code::invalid_argument, "invalid_header", "x-ms-tags is no query string");
    tags.emplace_back(std::move(*name), std::move(*value));
  }
  TRY_VOID(check_tags(tags));
  return tags;
}

Result<std::string> tier_of(const http::Request& request) {
  const std::string_view tier = request.headers.get_or("x-ms-access-tier", "");
  if (tier.empty()) return std::string();
  for (const std::string_view known : kTiers) {
    if (equal_ignore_case(tier, known)) return std::string(known);
  }
  return fail(Code::invalid_argument, "invalid_header",
              "x-ms-access-tier is Hot, Cool, Cold or Archive on this server");
}

Result<bool> high_priority_of(const http::Request& request) {
  const std::string_view priority = request.headers.get_or("x-ms-rehydrate-priority", "");
  if (priority.empty() || equal_ignore_case(priority, "Standard")) return false;
  if (equal_ignore_case(priority, "High")) return true;
  return fail(Code::invalid_argument, "invalid_header",
              "x-ms-rehydrate-priority is Standard or High");
}

std::string archive_status(const Rehydration& rehydration) {
  return "rehydrate-pending-to-" + lower(rehydration.to);
}

Answer get_blob_tags(Call& call) {
  CO_TRY(BlobKey key, addressed(call.request, call.address));
  CO_TRY(const Conditions conditions, conditions_of(call, Use::read));
  CO_TRY(const Info info, co_await call.blobs.blob(std::move(key), conditions));
  co_return http::Response(200, "application/xml",
                           "<?xml version=\"1.0\" encoding=\"utf-8\"?>" + tags_element(info.tags));
}

Answer set_blob_tags(Call& call) {
  CO_TRY(BlobKey key, addressed(call.request, call.address));
  if (key.snapshot != WallTime())
    co_return fail(Code::invalid_argument, "invalid_query", "a snapshot's tags stay as they are");
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  CO_TRY(const std::string body, co_await read_all(*call.request.body, kTagsLimit));
  CO_TRY(Pairs tags, parse_tags(body));
  CO_TRY_VOID(check_tags(tags));
  CO_TRY_VOID(co_await call.blobs.set_tags(std::move(key), std::move(tags), conditions));
  co_return http::Response(204);
}

Answer set_blob_tier(Call& call) {
  CO_TRY(BlobKey key, addressed(call.request, call.address));
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  CO_TRY(std::string tier, tier_of(call.request));
  if (tier.empty())
    co_return fail(Code::invalid_argument, "missing_header", "x-ms-access-tier is required");
  CO_TRY(const bool high, high_priority_of(call.request));
  Tiers tiers(call.blobs);
  CO_TRY(const Info info, co_await tiers.set(std::move(key), std::move(tier), conditions, high));
  co_return http::Response(info.rehydration.to.empty() ? 200 : 202);
}

}  // namespace holdfast::blob
