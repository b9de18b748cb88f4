#include "ml/limits.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "base/bytes.h"
#include "base/digest.h"

namespace holdfast::ml {
namespace {

bool letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool word(char c) {
  return letter_or_digit(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

std::string shown(std::string_view text) {
  return "'" + cut(std::string(text), 100) + "'";
}

// As posixpath.normpath would leave it, and within.
bool plain_path(std::string_view path) {
  if (path.starts_with('/')) return false;
  if (path.find('/') == std::string_view::npos) return path != "." && path != "..";
  return std::ranges::none_of(split(path, '/'), [](std::string_view part) {
    return part.empty() || part == "." || part == "..";
  });
}

}  // namespace

Result<void> check_key(std::string_view what, std::string_view key) {
  const std::string is = "Invalid " + std::string(what) + " name: " + shown(key) + ". ";
  if (key.empty()) return fail(Code::invalid_argument, is + "A name must not be empty.");
  if (key.size() > 250)
    return fail(Code::invalid_argument, is + "A name has at most 250 characters.");
  if (!std::ranges::all_of(key,
                           [](char c) { return word(c) || std::string_view("/.- :").contains(c); }))
    return fail(Code::invalid_argument,
                is + "Names may only contain slashes (/), alphanumerics, underscores (_), periods "
                     "(.), dashes (-), colons (:), and spaces ( ).");
  if (!plain_path(key))
    return fail(Code::invalid_argument,
                is + "Names may be treated as files in certain cases, and must not resolve to "
                     "other names when treated as such.");
  return {};
}

Result<void> check_value(std::string_view what, std::string_view value, size_t limit) {
  if (value.size() <= limit) return {};
  return fail(Code::invalid_argument, "The value of the " + std::string(what) + " has " +
                                          std::to_string(value.size()) +
                                          " characters; its limit is " + std::to_string(limit));
}

Result<void> check_experiment_name(std::string_view name) {
  if (name.empty() || name.size() > 500 || trim(name).empty())
    return fail(Code::invalid_argument,
                "Invalid experiment name: " + shown(name) + ". It has 1 to 500 characters.");
  return {};
}

Result<void> check_run_id(std::string_view id) {
  if (!id.empty() && id.size() <= 256 && letter_or_digit(id.front()) &&
      std::ranges::all_of(id, [](char c) { return letter_or_digit(c) || c == '_' || c == '-'; }))
    return {};
  return fail(Code::invalid_argument,
              "Invalid run ID: " + shown(id) + ". It has 1 to 256 letters, digits, '_' and '-'.");
}

Result<void> check_model_name(std::string_view name) {
  if (name.empty() || trim(name).empty())
    return fail(Code::invalid_argument, "Registered model name cannot be empty.");
  if (name.size() > 256 || name.find_first_of("/:") != std::string_view::npos)
    return fail(Code::invalid_argument,
                "Invalid model name: " + shown(name) +
                    ". It has at most 256 characters, and neither '/' nor ':'.");
  return {};
}

Result<void> check_alias(std::string_view alias) {
  const bool plain = !alias.empty() && alias.size() <= 255 &&
                     std::ranges::all_of(alias, [](char c) { return word(c) || c == '-'; });
  if (!plain)
    return fail(Code::invalid_argument, "Invalid alias name: " + shown(alias) +
                                            ". It has 1 to 255 letters, digits, '_' and '-'.");
  const std::string low = lower(alias);
  if (low == "latest")
    return fail(Code::invalid_argument, "'latest' alias name (case insensitive) is reserved.");
  if (low.size() > 1 && low.front() == 'v' &&
      std::all_of(low.begin() + 1, low.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return fail(Code::invalid_argument,
                "Version alias name " + shown(alias) + " is reserved: it looks like a number.");
  return {};
}

Result<void> check_batch(Batch& batch) {
  const auto limit = [](const char* what, size_t count, size_t most) -> Result<void> {
    if (count <= most) return {};
    return fail(Code::invalid_argument,
                "A batch logging request can contain at most " + std::to_string(most) + " " + what +
                    ". Got " + std::to_string(count) + " " + what + ". Please split up " + what +
                    " across multiple requests and try again.");
  };
  TRY_VOID(limit("metrics", batch.metrics.size(), kBatchMetrics));
  TRY_VOID(limit("params", batch.params.size(), kBatchPairs));
  TRY_VOID(limit("tags", batch.tags.size(), kBatchPairs));
  TRY_VOID(limit("metrics, params, and tags",
                 batch.metrics.size() + batch.params.size() + batch.tags.size(), kBatchItems));
  for (const Metric& metric : batch.metrics) TRY_VOID(check_key("metric", metric.key));
  std::unordered_set<std::string_view> seen;
  for (auto& [key, value] : batch.params) {
    TRY_VOID(check_key("parameter", key));
    if (!seen.insert(key).second)
      return fail(Code::invalid_argument,
                  "Duplicate parameter keys have been submitted: " + shown(key) +
                      ". Please ensure the request contains only one param value per param key.");
    value = cut(std::move(value), kParamValue);
  }
  for (auto& [key, value] : batch.tags) {
    TRY_VOID(check_key("tag", key));
    value = cut(std::move(value), kTagValue);
  }
  return {};
}

bool is_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    const size_t size = first < 0x80                     ? 1
                        : first >= 0xc2 && first <= 0xdf ? 2
                        : first >= 0xe0 && first <= 0xef ? 3
                        : first >= 0xf0 && first <= 0xf4 ? 4
                                                         : 0;
    if (size == 0 || text.size() - at < size) return false;
    for (size_t i = 1; i < size; ++i) {
      const auto next = static_cast<unsigned char>(text[at + i]);
      if ((next & 0xc0) != 0x80) return false;
      // Overlong forms, surrogates, above U+10FFFF.
      if (i == 1 && ((first == 0xe0 && next < 0xa0) || (first == 0xed && next > 0x9f) ||
                     (first == 0xf0 && next < 0x90) || (first == 0xf4 && next > 0x8f)))
        return false;
    }
    at += size;
  }
  return true;
}

std::string cut(std::string text, size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0) == 0x80) --limit;
  text.resize(limit);
  return text;
}

std::string made_up_name() {
  static constexpr std::array kFirst = {"able",   "bold",   "bright", "calm",    "clever", "eager",
                                        "fast",   "gentle", "grand",  "honest",  "keen",   "kind",
                                        "lively", "neat",   "nimble", "patient", "proud",  "quiet",
                                        "rapid",  "sharp",  "smooth", "steady",  "warm",   "wise"};
  static constexpr std::array kSecond = {"anchor", "bear",  "birch",   "crane", "dolphin", "falcon",
                                         "fox",    "goose", "harbor",  "hawk",  "heron",   "lark",
                                         "lynx",   "maple", "moth",    "otter", "owl",     "pine",
                                         "raven",  "seal",  "sparrow", "stork", "trout",   "wren"};
  const std::string bytes = random_bytes(4);
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(bytes[at]); };
  return std::string(kFirst[byte(0) % kFirst.size()]) + "-" + kSecond[byte(1) % kSecond.size()] +
         "-" + std::to_string((byte(2) * 256 + byte(3)) % 1000);
}

std::string random_hex() {
  return hex(as_bytes(random_bytes(16)));
}

Result<int64_t> offset_of(std::string_view token) {
  if (token.empty()) return 0;
  const auto text = from_base64_url(token);
  const auto offset = text ? parse_u64(*text) : std::nullopt;
  if (!offset || *offset > INT64_MAX)
    return fail(Code::invalid_argument, "Invalid page token: " + shown(token));
  return static_cast<int64_t>(*offset);
}

std::string page_token(int64_t offset) {
  return base64_url(as_bytes(std::to_string(offset)));
}

}  // namespace holdfast::ml
