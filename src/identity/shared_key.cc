#include "identity/shared_key.h"

#include <algorithm>
#include <map>
#include <vector>

#include "base/digest.h"

namespace holdfast::identity {
namespace {

// Folds line breaks and the white space around them; Azure signs the folded value.
std::string folded(std::string_view value) {
  std::string out(trim(value));
  for (size_t at; (at = out.find_first_of("\r\n")) != std::string::npos;) out.erase(at, 1);
  return out;
}

// The order in which Azure sorts header names: '-' and apostrophes count only between names that
// are else equal, and there they make a name the greater one. Its own clients sort so; others sort
// by bytes.
bool service_order(std::string_view a, std::string_view b) {
  static constexpr std::string_view rank = "!#$%&*.^_`|~+0123456789abcdefghijklmnopqrstuvwxyz";
  const auto next = [](std::string_view text, size_t& at) -> size_t {
    while (at < text.size() && (text[at] == '-' || text[at] == '\'')) ++at;
    return at < text.size() ? rank.find(text[at++]) + 1 : 0;  // the end comes first
  };
  for (size_t i = 0, j = 0;;) {
    const size_t left = next(a, i), right = next(b, j);
    if (left != right) return left < right;
    if (left == 0) break;
  }
  const auto mark = [](char c) { return c == '\'' ? 1 : c == '-' ? 2 : 0; };
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (mark(a[i]) != mark(b[i])) return mark(a[i]) < mark(b[i]);
  }
  return a.size() < b.size();
}

bool byte_order(std::string_view a, std::string_view b) {
  return a < b;
}

enum class Order { service, bytes };

std::string canonical_headers(const http::Request& request, Order order) {
  // Values of one name stay in the order in which they were sent.
  std::multimap<std::string, std::string, bool (*)(std::string_view, std::string_view)> sorted(
      order == Order::service ? service_order : byte_order);
  for (const auto& [name, value] : request.headers) {
    if (const std::string key = lower(name); key.starts_with("x-ms-"))
      sorted.emplace(key, folded(value));
  }
  std::string out;
  for (auto at = sorted.begin(); at != sorted.end();) {
    const std::string& name = at->first;
    out += name + ":" + at->second;
    for (++at; at != sorted.end() && at->first == name; ++at) out += "," + at->second;
    out += "\n";
  }
  return out;
}

std::string canonical_resource(const http::Request& request, std::string_view account) {
  std::string out = "/" + std::string(account) + request.path;
  std::map<std::string, std::vector<std::string>> sorted;
  for (const auto& [name, value] : request.query) sorted[lower(name)].push_back(value);
  for (auto& [name, values] : sorted) {
    std::sort(values.begin(), values.end());
    out += "\n" + name + ":";
    for (size_t i = 0; i < values.size(); ++i) out += (i == 0 ? "" : ",") + values[i];
  }
  return out;
}

std::string text_for(const http::Request& request, std::string_view account, Order order) {
  std::string text = request.method;
  const auto line = [&](std::string_view value) { text += "\n" + std::string(value); };
  line(request.headers.get_or("Content-Encoding", ""));
  line(request.headers.get_or("Content-Language", ""));
  const uint64_t length = request.content_length.value_or(0);
  line(length == 0 ? "" : std::to_string(length));
  line(request.headers.get_or("Content-MD5", ""));
  line(request.headers.get_or("Content-Type", ""));
  line(request.headers.get("x-ms-date") ? "" : request.headers.get_or("Date", ""));
  line(request.headers.get_or("If-Modified-Since", ""));
  line(request.headers.get_or("If-Match", ""));
  line(request.headers.get_or("If-None-Match", ""));
  line(request.headers.get_or("If-Unmodified-Since", ""));
  line(request.headers.get_or("Range", ""));
  return text + "\n" + canonical_headers(request, order) + canonical_resource(request, account);
}

}  // namespace

std::string shared_key_text(const http::Request& request, std::string_view account) {
  return text_for(request, account, Order::service);
}

std::string sign(std::string_view key, std::string_view text) {
  return base64(as_bytes(hmac_sha256(as_bytes(key), as_bytes(text))));
}

std::string shared_key_header(const http::Request& request, std::string_view account,
                              std::string_view key) {
  return "SharedKey " + std::string(account) + ":" + sign(key, shared_key_text(request, account));
}

Result<void> verify_shared_key(const http::Request& request, std::string_view account,
                               const KeyPair& keys, const Clock& clock) {
  const auto header = request.headers.get("Authorization");
  if (!header)
    return fail(Code::unauthenticated, "missing_authorization", "the request is not signed");
  constexpr std::string_view scheme = "SharedKey ";
  const auto refuse = [](std::string text) {
    return fail(Code::denied, "authentication_failed", std::move(text));
  };
  if (!header->starts_with(scheme))
    return refuse("only the scheme SharedKey is offered in the Authorization header");
  const std::string_view rest = header->substr(scheme.size());
  const size_t colon = rest.find(':');
  if (colon == std::string_view::npos || rest.substr(0, colon) != account)
    return refuse("the signature is not for the account '" + std::string(account) + "'");
  const auto date = request.headers.get("x-ms-date");
  const auto when = parse_http_date(date ? *date : request.headers.get_or("Date", ""));
  if (!when) return refuse("the request has no valid x-ms-date or Date header");
  if (std::chrono::abs(*when - clock.now()) > std::chrono::minutes(15))
    return refuse("the request's date is more than 15 minutes from this server's time");
  const std::string text = shared_key_text(request, account);
  const std::string by_bytes = text_for(request, account, Order::bytes);
  const std::string_view given = rest.substr(colon + 1);
  bool right = false;
  for (const std::string& key : keys) {
    right = equal_constant_time(sign(key, text), given) || right;
    if (by_bytes != text) right = equal_constant_time(sign(key, by_bytes), given) || right;
  }
  if (!right)
    return fail(
        Code::denied, kSignatureMismatch,
        "The MAC signature found in the HTTP request is not the same as any computed signature. "
        "Server used following string to sign: '" +
            text + "'.");
  return {};
}

}  // namespace holdfast::identity
