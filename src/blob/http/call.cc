#include "blob/http/call.h"

#include <algorithm>

#include "blob/http/history.h"

namespace holdfast::blob {
namespace {

constexpr std::pair<const char*, const char*> kBlobHeaders[] = {
    {"x-ms-blob-content-type", "Content-Type"},
    {"x-ms-blob-content-encoding", "Content-Encoding"},
    {"x-ms-blob-content-language", "Content-Language"},
    {"x-ms-blob-content-disposition", "Content-Disposition"},
    {"x-ms-blob-cache-control", "Cache-Control"},
    {"x-ms-blob-content-md5", "Content-MD5"}};

bool ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<uint8_t>(c);  // as char it may be negative
    return byte >= 0x20 && byte < 0x7f;
  });
}

bool identifier(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !name.empty() && letter(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

// The number of characters; nullopt where the text is not UTF-8 (RFC 3629).
std::optional<size_t> characters(std::string_view text) {
  size_t count = 0;
  for (size_t i = 0; i < text.size(); ++count) {
    const auto first = static_cast<uint8_t>(text[i]);
    const size_t length = first < 0x80                     ? 1
                          : first >= 0xc2 && first <= 0xdf ? 2
                          : (first & 0xf0) == 0xe0         ? 3
                          : first >= 0xf0 && first <= 0xf4 ? 4
                                                           : 0;
    if (length == 0 || i + length > text.size()) return std::nullopt;
    for (size_t k = 1; k < length; ++k) {
      if ((static_cast<uint8_t>(text[i + k]) & 0xc0) != 0x80) return std::nullopt;
    }
    const auto second = length > 1 ? static_cast<uint8_t>(text[i + 1]) : uint8_t{0};
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
      return std::nullopt;  // overlong, a surrogate, or beyond Unicode
    i += length;
  }
  return count;
}

bool lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

Result<std::optional<uint64_t>> etag_in(const http::Request& request, std::string_view name) {
  const auto header = request.headers.get(name);
  if (!header) return std::nullopt;
  std::string_view text = trim(*header);
  if (text == "*") return Conditions::kAny;
  if (text.find(',') != std::string_view::npos)
    return fail(Code::invalid_argument, "multiple_conditions",
                "only one ETag a condition is offered");
  if (text.starts_with("W/")) text.remove_prefix(2);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    text = text.substr(1, text.size() - 2);
  uint64_t value = 0;
  if (text.size() > 2 && text.size() <= 18 && text.starts_with("0x")) {
    for (char c : text.substr(2)) {
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                               : -1;
      if (digit < 0) return UINT64_MAX;
      value = value * 16 + static_cast<uint64_t>(digit);
    }
    return value == 0 ? UINT64_MAX : value;
  }
  return UINT64_MAX;  // an ETag that is not of this server matches nothing
}

Result<std::optional<WallTime>> time_in(const http::Request& request, std::string_view name) {
  const auto header = request.headers.get(name);
  if (!header) return std::nullopt;
  auto time = parse_http_date(*header);
  if (!time)
    return fail(Code::invalid_argument, "invalid_header",
                std::string(name) + ": " + time.error().message());
  return *time;
}

struct ConditionHeaders {
  std::string_view match, none_match, modified, unmodified, tags;
};
constexpr ConditionHeaders kOwn{"If-Match", "If-None-Match", "If-Modified-Since",
                                "If-Unmodified-Since", "x-ms-if-tags"};
constexpr ConditionHeaders kSource{"x-ms-source-If-Match", "x-ms-source-If-None-Match",
                                   "x-ms-source-If-Modified-Since",
                                   "x-ms-source-If-Unmodified-Since", "x-ms-source-if-tags"};

Result<Conditions> conditions_in(const http::Request& request, const ConditionHeaders& names) {
  Conditions conditions;
  TRY(conditions.if_match, etag_in(request, names.match));
  TRY(conditions.if_none_match, etag_in(request, names.none_match));
  TRY(conditions.if_modified_since, time_in(request, names.modified));
  TRY(conditions.if_unmodified_since, time_in(request, names.unmodified));
  if (const auto text = request.headers.get(names.tags); text && !text->empty()) {
    auto filter = parse_tag_filter(*text, TagGrammar::condition);
    if (!filter)
      return fail(Code::invalid_argument, "invalid_header",
                  std::string(names.tags) + ": " + filter.error().message());
    conditions.if_tags = std::make_shared<const TagFilter>(std::move(*filter));
  }
  return conditions;
}

}  // namespace

Result<Conditions> source_conditions_of(const http::Request& request) {
  return conditions_in(request, kSource);
}

Result<void> check_container_name(std::string_view name) {
  if (name == "$root" || name == "$web" || name == "$logs") return {};
  bool fits = name.size() >= 3 && name.size() <= 63 && lower_or_digit(name.front()) &&
              lower_or_digit(name.back()) && name.find("--") == std::string_view::npos;
  for (char c : name) fits = fits && (lower_or_digit(c) || c == '-');
  if (!fits)
    return fail(
        Code::invalid_argument, "invalid_resource_name",
        "'" + std::string(name) +
            "' is not a container name: 3 to 63 lower-case letters, digits and single hyphens");
  return {};
}

Result<void> check_blob_name(std::string_view name) {
  const auto count = characters(name);
  if (!count)
    return fail(Code::invalid_argument, "invalid_resource_name", "a blob name must be UTF-8");
  if (*count == 0 || *count > 1024 || split(name, '/').size() > 254) {
    return fail(Code::invalid_argument, "invalid_resource_name",
                "a blob name has 1 to 1024 characters and at most 254 segments");
  }
  return {};
}

Result<Conditions> conditions_of(const Call& call, Use use) {
  const http::Request& request = call.request;
  TRY(Conditions conditions, conditions_in(request, kOwn));
  conditions.lease_id = lower(trim(request.headers.get_or("x-ms-lease-id", "")));
  conditions.create_only = call.create_only;
  // A write takes an ETag with the date that goes with it, and nothing more.
  const int count = conditions.if_match.has_value() + conditions.if_none_match.has_value() +
                    conditions.if_modified_since.has_value() +
                    conditions.if_unmodified_since.has_value();
  const bool pair =
      conditions.if_none_match.has_value() == conditions.if_modified_since.has_value();
  if (use == Use::write && (count > 2 || (count == 2 && !pair)))
    return fail(Code::invalid_argument, "multiple_conditions",
                "Multiple condition headers are not supported.");
  if (use == Use::write && call.blobs.settings(call.address.account).events) {
    Asked asked;
    asked.request_id = request.id;
    const std::string_view own = request.headers.get_or("x-ms-client-request-id", "");
    asked.client_request_id = own.substr(0, std::min<size_t>(own.size(), 1024));
    conditions.asked = std::make_shared<const Asked>(std::move(asked));
  }
  return conditions;
}

Result<Pairs> metadata_of(const http::Request& request) {
  constexpr std::string_view prefix = "x-ms-meta-";
  Pairs metadata;
  size_t size = 0;
  for (const auto& [name, value] : request.headers) {
    if (name.size() < prefix.size() || !equal_ignore_case(name.substr(0, prefix.size()), prefix))
      continue;
    const std::string key(name.substr(prefix.size()));
    if (!identifier(key) || !ascii(value))
      return fail(Code::invalid_argument, "invalid_metadata",
                  "The metadata specified is invalid: a name is letters, digits and '_', a value "
                  "is ASCII.");
    size += key.size() + value.size();
    metadata.emplace_back(key, value);
  }
  if (size > 8192)
    return fail(Code::invalid_argument, "metadata_too_large",
                "The metadata specified exceeds the maximum permissible limit of 8 KiB.");
  return metadata;
}

Result<Pairs> blob_headers_of(const http::Request& request, bool plain_fallback) {
  Pairs headers;
  for (const auto& [own, plain] : kBlobHeaders) {
    auto value = request.headers.get(own);
    if (!value && plain_fallback && std::string_view(plain) != "Content-MD5")
      value = request.headers.get(plain);
    if (!value || value->empty()) continue;
    if (!ascii(*value))
      return fail(Code::invalid_argument, "invalid_header", std::string(own) + " must be ASCII");
    headers.emplace_back(plain, std::string(*value));
  }
  if (value_of(headers, "Content-Type").empty())
    headers.emplace_back("Content-Type", "application/octet-stream");
  return headers;
}

std::optional<Range> range_of(const http::Request& request) {
  const auto header = request.headers.get("x-ms-range") ? request.headers.get("x-ms-range")
                                                        : request.headers.get("Range");
  if (!header || !header->starts_with("bytes=")) return std::nullopt;
  const std::string_view text = header->substr(6);
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = parse_u64(text.substr(0, dash));
  if (!first) return std::nullopt;
  Range range;
  range.first = *first;
  if (dash + 1 < text.size()) {
    const auto last = parse_u64(text.substr(dash + 1));
    if (!last || *last < *first) return std::nullopt;
    range.last = *last;
  }
  return range;
}

std::string etag_text(uint64_t etag) {
  std::string text = "0x0000000000000000";
  for (size_t at = text.size(); at-- > 2; etag >>= 4) text[at] = "0123456789ABCDEF"[etag & 15];
  return text;
}

std::string_view value_of(const Pairs& pairs, std::string_view name) {
  for (const auto& [key, value] : pairs) {
    if (key == name) return value;
  }
  return {};
}

http::Response written(unsigned status, const Info& info) {
  http::Response response(status);
  response.header("ETag", "\"" + etag_text(info.etag) + "\"")
      .header("Last-Modified", format_http_date(info.modified));
  if (info.version != WallTime()) response.header("x-ms-version-id", time_text(info.version));
  return response;
}

void add_lease(http::Response& response, const Lease& lease, WallTime now) {
  const LeaseState state = lease.state(now);
  response.header("x-ms-lease-status", lease.locked(now) ? "locked" : "unlocked")
      .header("x-ms-lease-state", std::string(to_string(state)));
  if (state == LeaseState::leased)
    response.header("x-ms-lease-duration",
                    lease.seconds == Lease::kInfinite ? "infinite" : "fixed");
}

std::string_view type_text(BlobType type) {
  if (type == BlobType::page) return "PageBlob";
  return type == BlobType::append ? "AppendBlob" : "BlockBlob";
}

void add_metadata(http::Response& response, const Pairs& metadata) {
  for (const auto& [name, value] : metadata) response.headers.add("x-ms-meta-" + name, value);
}

}  // namespace holdfast::blob
