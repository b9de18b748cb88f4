#include "identity/sas.h"

#include <algorithm>

#include "base/digest.h"

namespace holdfast::identity {
namespace {

constexpr std::string_view kVersion = "2021-12-02";

std::unexpected<Error> refuse(std::string_view reason, std::string text) {
  return fail(Code::denied, reason, std::move(text));
}

std::string_view field(const http::Request& request, std::string_view name) {
  return request.query_value(name).value_or("");
}

using Lines = std::vector<std::string_view>;

// Joins with line feeds, none at the end.
std::string joined(const Lines& parts) {
  std::string out;
  out.reserve(512);
  for (const std::string_view part : parts) (out += part) += '\n';
  if (!out.empty()) out.pop_back();
  return out;
}

// What is signed of a snapshot or version: its time, where the signature is for that one alone.
std::string_view signed_time(const auto& get) {
  const std::string_view type = get("sr");
  return type == "bs" ? get("snapshot") : type == "bv" ? get("versionid") : std::string_view();
}

std::string service_text(const std::string& resource, const auto& get) {
  const std::string_view version = get("sv");
  Lines parts = {get("sp"), get("st"),  get("se"),  resource,
                 get("si"), get("sip"), get("spr"), version};
  if (version >= "2018-11-09") parts.insert(parts.end(), {get("sr"), signed_time(get)});
  if (version >= "2020-12-06") parts.push_back(get("ses"));
  for (const char* name : {"rscc", "rscd", "rsce", "rscl", "rsct"}) parts.push_back(get(name));
  return joined(parts);
}

// srh and srq: names of headers or query parameters whose values are signed, with commas between.
std::vector<std::pair<std::string, std::string>> named(std::string_view list, const auto& value) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string_view part : split(list, ',')) {
    if (part.empty()) continue;
    const std::string name = percent_decode(part).value_or(std::string(part));
    out.emplace_back(name, value(name));
  }
  return out;
}

std::string delegated_text(const http::Request& request, const std::string& resource) {
  const auto get = [&](std::string_view name) { return field(request, name); };
  const std::string_view version = get("sv");
  Lines parts = {get("sp"),    get("st"),  get("se"),  resource,   get("skoid"),
                 get("sktid"), get("skt"), get("ske"), get("sks"), get("skv")};
  const auto add = [&](std::initializer_list<const char*> names) {
    for (const char* name : names) parts.push_back(get(name));
  };
  if (version >= "2020-02-10") add({"saoid", "suoid", "scid"});
  if (version >= "2025-07-05") add({"skdutid", "sduoid"});
  add({"sip", "spr", "sv", "sr"});
  parts.push_back(signed_time(get));
  if (version >= "2020-12-06") add({"ses"});
  std::string headers, queries;
  if (version >= "2026-04-06") {
    for (const auto& [name, value] : named(get("srh"), [&](const std::string& one) {
           return std::string(request.headers.get_or(one, ""));
         }))
      headers += name + ":" + value + "\n";
    for (const auto& [name, value] : named(get("srq"), get)) queries += "\n" + name + ":" + value;
    parts.insert(parts.end(), {headers, queries});
  }
  add({"rscc", "rscd", "rsce", "rscl", "rsct"});
  return joined(parts);
}

std::string account_text(std::string_view account, const auto& get) {
  Lines parts = {account,   get("sp"),  get("ss"),  get("srt"), get("st"),
                 get("se"), get("sip"), get("spr"), get("sv")};
  if (get("sv") >= "2020-12-06") parts.push_back(get("ses"));
  parts.emplace_back();  // this text alone ends with a line feed
  return joined(parts);
}

std::string canonical_name(std::string_view account, const std::string& container,
                           const std::string& blob) {
  return "/blob/" + std::string(account) + "/" + container + (blob.empty() ? "" : "/" + blob);
}

// What the signature is for, as its text names it. A directory is as many of the blob's segments as
// sdd says.
Result<std::string> signed_resource(std::string_view account, const Wanted& wanted,
                                    const auto& get) {
  const std::string_view type = get("sr");
  std::string blob = type == "c" ? std::string() : wanted.blob;
  if ((type == "bs" || type == "bv") && signed_time(get).empty())
    return refuse("sas_resource", "this signature is for a snapshot or version alone");
  if (type == "d") {
    const auto depth = parse_u64(get("sdd"));
    if (!depth || *depth == 0 || *depth > 254)
      return fail(Code::invalid_argument, "sas_query", "a directory's depth (sdd) is 1 to 254");
    size_t end = 0;
    for (uint64_t i = 0; i < *depth && end != std::string::npos; ++i)
      end = blob.find('/', i == 0 ? 0 : end + 1);
    blob = blob.substr(0, end);
  }
  return canonical_name(account, wanted.container, blob);
}

// sp, st or se: of the signature or of its policy, never of both.
Result<std::string_view> granted(const http::Request& request, std::string_view name,
                                 std::string_view stored) {
  const std::string_view own = field(request, name);
  if (!own.empty() && !stored.empty())
    return refuse("authentication_failed", "the field " + std::string(name) +
                                               " is in the signature and in its access policy");
  return own.empty() ? stored : own;
}

Result<void> check_time(std::string_view start, std::string_view end, const Clock& clock) {
  const WallTime now = clock.now();
  const auto expiry = parse_rfc3339(end);
  if (!expiry)
    return fail(Code::invalid_argument, "sas_query", "the signature has no valid expiry (se)");
  if (now >= *expiry)
    return refuse(
        "authentication_failed",
        "Signature not valid in the specified time frame: it expired at " + std::string(end));
  if (!start.empty()) {
    const auto from = parse_rfc3339(start);
    if (!from)
      return fail(Code::invalid_argument, "sas_query", "the signature's start (st) is not a time");
    if (now < *from)
      return refuse(
          "authentication_failed",
          "Signature not valid in the specified time frame: it starts at " + std::string(start));
  }
  return {};
}

// "168.1.5.60" or "168.1.5.60-168.1.5.70", IPv4.
std::optional<uint32_t> ipv4(std::string_view text) {
  uint32_t out = 0;
  const auto parts = split(text, '.');
  if (parts.size() != 4) return std::nullopt;
  for (auto part : parts) {
    const auto number = parse_u64(part);
    if (!number || *number > 255) return std::nullopt;
    out = out * 256 + static_cast<uint32_t>(*number);
  }
  return out;
}

Result<void> check_origin(const http::Request& request) {
  if (field(request, "spr") == "https" && !request.tls)
    return refuse("sas_protocol", "this signature is for https alone");
  const std::string_view range = field(request, "sip");
  if (range.empty()) return {};
  const auto ends = split(range, '-');
  const auto low = ipv4(ends.front()), high = ipv4(ends.back());
  const auto peer = ipv4(std::string_view(request.peer).substr(0, request.peer.rfind(':')));
  if (!low || !high || !peer || *peer < *low || *peer > *high)
    return refuse("sas_ip", "this signature is not for the address " + request.peer);
  return {};
}

Result<void> check_reach(const http::Request& request, const Wanted& wanted) {
  const std::string_view type = field(request, "sr");
  if (type.empty()) {
    if (field(request, "ss").find('b') == std::string::npos)
      return refuse("sas_service", "this signature is not for blob storage (ss)");
    if (field(request, "srt").find(wanted.resource) == std::string::npos)
      return refuse("sas_resource", std::string("this signature has not the resource type '") +
                                        wanted.resource + "' (srt)");
    return {};
  }
  if (type != "c" && type != "b" && type != "bs" && type != "bv" && type != "d")
    return fail(Code::invalid_argument, "sas_query",
                "there is no signature for sr=" + std::string(type));
  const bool fits = type == "c" ? (wanted.permission == 0 || wanted.resource == 'o' ||
                                   wanted.permission == 'l' || wanted.permission == 'f')
                                : wanted.resource == 'o';
  if (!fits)
    return refuse("sas_resource",
                  "this signature is for " +
                      std::string(type == "c" ? "what is in a container" : "one blob"));
  return {};
}

}  // namespace

bool has_sas(const http::Request& request) {
  return request.query_value("sig").has_value();
}

Result<SasGrant> verify_sas(const http::Request& request, std::string_view account,
                            const KeyPair& keys, const Wanted& wanted, const Clock& clock) {
  const auto get = [&](std::string_view name) { return field(request, name); };
  if (get("sv").size() != 10)
    return fail(Code::invalid_argument, "sas_query", "the signature has no valid version (sv)");
  const bool delegated = !get("skoid").empty();
  const std::string_view type = get("sr");
  if (delegated && (!wanted.delegated || type.empty() || get("sv") < "2018-11-09"))
    return fail(
        Code::invalid_argument, "sas_query",
        "a user delegation signature is for a container or a blob, by a key of this server, "
        "of a version from 2018-11-09 on");
  TRY(const std::string resource, signed_resource(account, wanted, get));
  const std::string text = delegated      ? delegated_text(request, resource)
                           : type.empty() ? account_text(account, get)
                                          : service_text(resource, get);
  std::string wanted_signature(get("sig"));
  std::ranges::replace(wanted_signature, ' ', '+');  // base64 that was sent as it is
  KeyPair delegation;
  if (delegated) delegation[0] = wanted.delegated->key;
  const KeyPair& own = delegated ? delegation : keys;
  // Which of the two keys it was is no secret from who holds it.
  const bool right = std::ranges::any_of(own, [&](const std::string& key) {
    return !key.empty() && equal_constant_time(sign(key, text), wanted_signature);
  });
  if (!right)
    return refuse(kSignatureMismatch, "Signature did not match. String to sign used was " + text);
  const std::string_view id = get("si");
  if (!id.empty() && (!wanted.policy || type.empty()))
    return refuse("authentication_failed",
                  "there is no stored access policy '" + std::string(id) + "'");
  const StoredPolicy policy = wanted.policy.value_or(StoredPolicy("", "", ""));
  TRY(const std::string_view permissions, granted(request, "sp", policy.permissions));
  TRY(const std::string_view start, granted(request, "st", policy.start));
  TRY(const std::string_view end, granted(request, "se", policy.expiry));
  TRY_VOID(check_time(start, end, clock));
  TRY_VOID(check_origin(request));
  TRY_VOID(check_reach(request, wanted));
  if (wanted.key_only)
    return refuse("sas_permission", "this is for the holder of the account's key alone");
  SasGrant grant;
  grant.permissions = permissions;
  // A signature opens no more than the role of who delegated it.
  if (delegated)
    std::erase_if(grant.permissions, [&](char letter) {
      return wanted.delegated->permissions.find(letter) == std::string::npos;
    });
  // There are no lists of who may do what to a path, by which such a one could be checked.
  if (delegated && !get("suoid").empty())
    return refuse("sas_permission", "a user without rights (suoid) has none here");
  const std::string enough = wanted.alternative + wanted.permission;
  if (wanted.permission != 0 && grant.permissions.find_first_of(enough) == std::string::npos) {
    return refuse("sas_permission", std::string("this signature has not the permission '") +
                                        wanted.permission + "'; it has '" + grant.permissions +
                                        "'");
  }
  static constexpr std::pair<const char*, const char*> overrides[] = {
      {"rscc", "Cache-Control"},
      {"rscd", "Content-Disposition"},
      {"rsce", "Content-Encoding"},
      {"rscl", "Content-Language"},
      {"rsct", "Content-Type"}};
  for (const auto& [name, header] : overrides) {
    if (const std::string_view value = get(name); !value.empty())
      grant.overrides.emplace_back(header, value);
  }
  return grant;
}

std::string make_sas(std::string_view account, std::string_view key, const SasRequest& request) {
  std::vector<std::pair<std::string, std::string>> fields = {{"sv", std::string(kVersion)}};
  const bool of_account = request.container.empty();
  if (of_account) {
    fields.emplace_back("ss", "b");
    fields.emplace_back("srt", request.resource_types);
  } else {
    fields.emplace_back("sr", request.blob.empty() ? "c" : "b");
  }
  fields.emplace_back("sp", request.permissions);
  if (request.start) fields.emplace_back("st", format_rfc3339(*request.start, 0));
  fields.emplace_back("se", format_rfc3339(request.expiry, 0));
  if (!request.ip.empty()) fields.emplace_back("sip", request.ip);
  if (!request.protocol.empty()) fields.emplace_back("spr", request.protocol);
  const auto get = [&](std::string_view name) -> std::string_view {
    for (const auto& [known, value] : fields) {
      if (known == name) return value;
    }
    return {};
  };
  const std::string text =
      of_account ? account_text(account, get)
                 : service_text(canonical_name(account, request.container, request.blob), get);
  std::string query;
  for (const auto& [name, value] : fields) query += name + "=" + percent_encode(value) + "&";
  return query + "sig=" + percent_encode(sign(key, text));
}

}  // namespace holdfast::identity
