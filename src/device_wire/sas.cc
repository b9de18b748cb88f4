#include "device_wire/sas.h"

#include "base/digest.h"

namespace holdfast::device_wire {
namespace {

constexpr std::string_view kScheme = "SharedAccessSignature ";

std::unexpected<Error> wrong(std::string_view what) {
  return fail(Code::invalid_argument, "not a shared access signature: " + std::string(what));
}

}  // namespace

Result<SasToken> parse_sas(std::string_view text) {
  if (text.starts_with(kScheme)) text.remove_prefix(kScheme.size());
  std::string_view resource, signature, expiry, policy;
  for (const std::string_view pair : split(text, '&')) {
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return wrong("a field without a value");
    const std::string_view name = trim(pair.substr(0, equals));
    std::string_view* into = name == "sr"    ? &resource
                             : name == "sig" ? &signature
                             : name == "se"  ? &expiry
                             : name == "skn" ? &policy
                                             : nullptr;
    if (into == nullptr) return wrong("a field that is none of sr, sig, se, skn");
    if (!into->empty()) return wrong("a field twice");
    *into = pair.substr(equals + 1);
  }
  if (resource.empty() || signature.empty() || expiry.empty())
    return wrong("sr, sig and se are needed");
  SasToken out;
  const auto seconds = parse_u64(expiry);
  if (!seconds || *seconds > 9'000'000'000) return wrong("se is not a number of seconds");
  out.expires = WallTime(std::chrono::seconds(*seconds));
  out.signed_text = std::string(resource) + "\n" + std::string(expiry);
  TRY(out.resource, percent_decode(resource));
  TRY(const std::string code, percent_decode(signature));
  auto raw = from_base64(code);
  if (!raw) return wrong("sig is not base64");
  out.signature = std::move(*raw);
  TRY(out.policy, percent_decode(policy));
  return out;
}

Result<void> verify_sas(const SasToken& token, std::span<const std::string> keys,
                        const Clock& clock, std::chrono::seconds skew) {
  bool good = false;
  for (const auto& key : keys) {
    const auto raw = from_base64(key);
    if (!raw || raw->empty()) continue;
    good = equal_constant_time(hmac_sha256(as_bytes(*raw), as_bytes(token.signed_text)),
                               token.signature) ||
           good;
  }
  if (!good) return fail(Code::unauthenticated, "the signature is not right for this identity");
  if (token.expires + skew <= clock.now())
    return fail(Code::unauthenticated, "token_expired",
                "the token expired at " + format_rfc3339(token.expires, 0));
  return {};
}

std::string resource_of(std::string_view host, const Address& address) {
  std::string out = std::string(host) + "/devices/" + address.device;
  if (!address.module.empty()) out += "/modules/" + address.module;
  return out;
}

bool same_resource(std::string_view a, std::string_view b) {
  if (a.ends_with('/')) a.remove_suffix(1);
  if (b.ends_with('/')) b.remove_suffix(1);
  return equal_ignore_case(a, b);
}

bool covers(std::string_view outer, std::string_view inner) {
  if (outer.ends_with('/')) outer.remove_suffix(1);
  if (inner.size() < outer.size() || !equal_ignore_case(outer, inner.substr(0, outer.size())))
    return false;
  return inner.size() == outer.size() || inner[outer.size()] == '/';
}

Result<std::string> make_sas(std::string_view resource, std::string_view key, WallTime expires,
                             std::string_view policy) {
  auto raw = from_base64(key);
  if (!raw || raw->empty())
    return fail(Code::invalid_argument, "the shared access key is not base64");
  const std::string encoded = percent_encode(resource);
  const std::string expiry = std::to_string(
      std::chrono::duration_cast<std::chrono::seconds>(expires.time_since_epoch()).count());
  const std::string signature = hmac_sha256(as_bytes(*raw), as_bytes(encoded + "\n" + expiry));
  std::string out = std::string(kScheme) + "sr=" + encoded +
                    "&sig=" + percent_encode(base64(as_bytes(signature))) + "&se=" + expiry;
  if (!policy.empty()) out += "&skn=" + percent_encode(policy);
  return out;
}

}  // namespace holdfast::device_wire
