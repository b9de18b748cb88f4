#include "blob/http/cors.h"

#include <algorithm>
#include <pugixml.hpp>

#include "base/bytes.h"

namespace holdfast::blob {
namespace {

constexpr size_t kRules = 5, kNames = 64, kPrefixes = 2, kNameSize = 256;
constexpr std::string_view kMethods[] = {"DELETE", "GET",     "HEAD", "MERGE",
                                         "POST",   "OPTIONS", "PUT",  "PATCH"};

struct Rule {
  explicit Rule(const pugi::xml_node& node)
      : origins(list(node, "AllowedOrigins")),
        methods(list(node, "AllowedMethods")),
        allowed(list(node, "AllowedHeaders")),
        exposed(list(node, "ExposedHeaders")),
        age(trim(node.child("MaxAgeInSeconds").text().get())) {}

  static std::vector<std::string> list(const pugi::xml_node& node, const char* name) {
    std::vector<std::string> out;
    for (const auto part : split(node.child(name).text().get(), ',')) {
      if (const auto word = trim(part); !word.empty()) out.emplace_back(word);
    }
    return out;
  }

  std::vector<std::string> origins, methods, allowed, exposed;
  std::string age;
};

std::vector<Rule> rules_in(std::string_view document) {
  pugi::xml_document parsed;
  std::vector<Rule> rules;
  if (!parsed.load_buffer(document.data(), document.size())) return rules;
  const pugi::xml_node cors = parsed.child("StorageServiceProperties").child("Cors");
  for (const pugi::xml_node& node : cors.children("CorsRule")) rules.emplace_back(node);
  return rules;
}

// "https://*.example.com" is each of its subdomains.
bool origin_fits(const Rule& rule, std::string_view origin) {
  return std::ranges::any_of(rule.origins, [&](const std::string& known) {
    if (known == "*" || known == origin) return true;
    const size_t star = known.find("://*.");
    if (star == std::string::npos) return false;
    const std::string_view head = std::string_view(known).substr(0, star + 3),
                           tail = std::string_view(known).substr(star + 4);
    return origin.size() > head.size() + tail.size() && origin.starts_with(head) &&
           origin.ends_with(tail);
  });
}

bool method_fits(const Rule& rule, std::string_view method) {
  return std::ranges::find(rule.methods, method) != rule.methods.end();
}

bool header_fits(const std::vector<std::string>& known, std::string_view name) {
  return std::ranges::any_of(known, [&](std::string_view pattern) {
    if (!pattern.ends_with('*')) return equal_ignore_case(pattern, name);
    pattern.remove_suffix(1);
    return name.size() >= pattern.size() &&
           equal_ignore_case(name.substr(0, pattern.size()), pattern);
  });
}

void name_origin(const Rule& rule, std::string_view origin, http::Response& response) {
  const bool any = std::ranges::find(rule.origins, "*") != rule.origins.end();
  response.header("Access-Control-Allow-Origin", any ? "*" : std::string(origin));
  if (!any) response.header("Access-Control-Allow-Credentials", "true");
}

std::unexpected<Error> invalid_xml(std::string why) {
  return fail(Code::invalid_argument, "invalid_xml",
              "XML specified is not syntactically valid: " + std::move(why));
}

Result<void> check_names(const std::vector<std::string>& names) {
  const auto prefixes =
      std::ranges::count_if(names, [](const std::string& name) { return name.ends_with('*'); });
  if (names.size() > kNames || static_cast<size_t>(prefixes) > kPrefixes)
    return invalid_xml("a CORS rule names at most 64 headers, two of them by prefix");
  for (const std::string& name : names) {
    if (name.size() > kNameSize) return invalid_xml("a header's name has at most 256 characters");
  }
  return {};
}

Result<void> check_rule(const pugi::xml_node& node) {
  const Rule rule(node);
  if (rule.origins.empty() || rule.origins.size() > kNames)
    return invalid_xml("a CORS rule has 1 to 64 AllowedOrigins");
  for (const std::string& origin : rule.origins) {
    if (origin.size() > kNameSize) return invalid_xml("an origin has at most 256 characters");
  }
  if (rule.methods.empty()) return invalid_xml("a CORS rule has AllowedMethods");
  for (const std::string& method : rule.methods) {
    if (std::ranges::find(kMethods, method) == std::end(kMethods))
      return invalid_xml("'" + method + "' is no method of a CORS rule");
  }
  if (const auto age = parse_u64(rule.age); !age || *age > INT32_MAX)
    return invalid_xml("MaxAgeInSeconds is a number of seconds");
  TRY_VOID(check_names(rule.allowed));
  return check_names(rule.exposed);
}

}  // namespace

Result<void> check_cors(std::string_view body) {
  pugi::xml_document parsed;
  // What is no document at all is refused by those who read all of it.
  if (!parsed.load_buffer(body.data(), body.size())) return {};
  size_t count = 0;
  for (const pugi::xml_node& node :
       parsed.child("StorageServiceProperties").child("Cors").children("CorsRule")) {
    if (++count > kRules) return invalid_xml("there are at most 5 CORS rules");
    TRY_VOID(check_rule(node));
  }
  return {};
}

void add_cors(std::string_view document, const http::Request& request, http::Response& response) {
  const auto origin = request.headers.get("Origin");
  const std::vector<Rule> rules = rules_in(document);
  if (!origin || rules.empty()) return;
  // What a cache keeps for one origin is not for another.
  response.header("Vary", "Origin");
  for (const Rule& rule : rules) {
    if (!origin_fits(rule, *origin) || !method_fits(rule, request.method)) continue;
    name_origin(rule, *origin, response);
    std::string exposed;
    for (const auto& [name, value] : response.headers) {
      if (!name.starts_with("Access-Control-") && header_fits(rule.exposed, name))
        exposed.append(exposed.empty() ? "" : ",").append(name);
    }
    if (!exposed.empty()) response.header("Access-Control-Expose-Headers", exposed);
    return;
  }
}

Result<http::Response> preflight(std::string_view document, const http::Request& request) {
  const auto origin = request.headers.get("Origin"),
             method = request.headers.get("Access-Control-Request-Method");
  if (!origin || !method)
    return fail(Code::invalid_argument, "missing_header",
                "a preflight has the headers Origin and Access-Control-Request-Method");
  const std::string_view asked = request.headers.get_or("Access-Control-Request-Headers", "");
  for (const Rule& rule : rules_in(document)) {
    if (!origin_fits(rule, *origin) || !method_fits(rule, *method)) continue;
    bool fits = true;
    for (const auto part : split(asked, ','))
      fits = fits && (trim(part).empty() || header_fits(rule.allowed, trim(part)));
    if (!fits) continue;
    http::Response response(200);
    name_origin(rule, *origin, response);
    response.header("Access-Control-Allow-Methods", std::string(*method));
    if (!asked.empty()) response.header("Access-Control-Allow-Headers", std::string(asked));
    response.header("Access-Control-Max-Age", rule.age).header("Vary", "Origin");
    return response;
  }
  return fail(Code::denied, "cors_preflight",
              "CORS not enabled or no matching rule found for this request.");
}

}  // namespace holdfast::blob
