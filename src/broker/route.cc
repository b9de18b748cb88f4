#include "broker/route.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/json_reader.h"

namespace holdfast::broker {
namespace {

namespace json = boost::json;

std::unexpected<Error> wrong(size_t at, const std::string& why) {
  return fail(Code::invalid_argument, "column " + std::to_string(at + 1) + ": " + why);
}

bool space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// The place of a keyword outside of quoted texts; npos.
size_t find_word(std::string_view text, std::string_view word, size_t from) {
  char quote = 0;
  for (size_t i = from; i + word.size() <= text.size(); ++i) {
    if (quote != 0) {
      if (text[i] == '\\')
        ++i;
      else if (text[i] == quote)
        quote = 0;
      continue;
    }
    if (text[i] == '\'' || text[i] == '"') {
      quote = text[i];
      continue;
    }
    const size_t end = i + word.size();
    if (equal_ignore_case(text.substr(i, word.size()), word) && (i == 0 || space(text[i - 1])) &&
        (end == text.size() || space(text[end])))
      return i;
  }
  return std::string_view::npos;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

Result<std::string> parse_source(std::string_view text, size_t at) {
  if (!text.starts_with('/')) return wrong(at, "a source begins with '/'");
  std::string source(text);
  if (equal_ignore_case(source, "/*")) return std::string("/*");
  constexpr std::string_view kMessages = "/messages";
  if (!equal_ignore_case(text.substr(0, kMessages.size()), kMessages))
    return equal_ignore_case(text, "/twinChangeNotifications") ||
                   text.starts_with("/twinChangeNotifications/")
               ? fail(Code::unsupported, "twin changes are no source here")
               : wrong(at, "'" + source + "' is no source: /*, /messages/* and what is below it");
  source.replace(0, kMessages.size(), kMessages);
  const std::string_view rest = std::string_view(source).substr(kMessages.size());
  if (!rest.empty() && rest.front() != '/') return wrong(at, "'" + source + "' is no source");
  for (size_t i = 0; i < source.size(); ++i) {
    const bool alone = source[i] != '*' ||
                       (source[i - 1] == '/' && (i + 1 == source.size() || source[i + 1] == '/'));
    if (!alone) return wrong(at + i, "'*' stands for a whole level");
  }
  return source;
}

Result<std::string> parse_sink(std::string_view text, size_t at) {
  if (equal_ignore_case(text, kUpstream)) return std::string(kUpstream);
  constexpr std::string_view kFunction = "BrokeredEndpoint";
  if (!equal_ignore_case(text.substr(0, kFunction.size()), kFunction))
    return wrong(at, "a sink is $upstream or BrokeredEndpoint(\"/modules/MODULE/inputs/INPUT\")");
  std::string_view rest = trimmed(text.substr(kFunction.size()));
  if (!rest.starts_with('(') || !rest.ends_with(')') || rest.size() < 2)
    return wrong(at + kFunction.size(), "parentheses are missing");
  rest = trimmed(rest.substr(1, rest.size() - 2));
  const bool quoted = rest.size() >= 2 && (rest.front() == '"' || rest.front() == '\'') &&
                      rest.back() == rest.front();
  if (!quoted) return wrong(at + kFunction.size() + 1, "a quoted path is wanted");
  const auto parts = split(rest.substr(1, rest.size() - 2), '/');
  const bool good = parts.size() == 5 && parts[0].empty() &&
                    equal_ignore_case(parts[1], "modules") && !parts[2].empty() &&
                    equal_ignore_case(parts[3], "inputs") && !parts[4].empty();
  if (!good)
    return wrong(at + kFunction.size() + 1, "the path is not /modules/MODULE/inputs/INPUT");
  return std::string(parts[2]) + "/" + std::string(parts[4]);
}

Result<Route> read_route(const JsonReader& routes, std::string_view name) {
  const json::value* value = routes.find(name);
  std::string text;
  int64_t priority = 2'000'000'000;
  std::optional<uint32_t> life;
  if (value->is_object()) {
    TRY(const JsonReader one, routes.object(name));
    TRY(text, one.text("route"));
    TRY(priority, one.integer_or("priority", priority, 0, 9));
    if (one.find("timeToLiveSecs") != nullptr) {
      TRY(const int64_t seconds, one.integer_or("timeToLiveSecs", 0, 0, UINT32_MAX));
      life = static_cast<uint32_t>(seconds);
    }
  } else {
    TRY(text, routes.text(name));
  }
  auto route = parse_route(text);
  if (!route) return std::unexpected(routes.error_at(name, route.error().message()));
  route->name = std::string(name);
  route->priority = static_cast<uint32_t>(priority);
  route->time_to_live = life;
  return route;
}

Result<HubConfig> read_all(const JsonReader& top, std::string& schema) {
  HubConfig out;
  TRY(out.version, top.integer_or("$version", 0, 0, INT64_MAX));
  TRY(schema, top.text("schemaVersion"));
  TRY(const JsonReader routes, top.object("routes", true));
  for (const auto& [name, value] : routes.raw()) {
    if (value.is_null()) continue;
    TRY(Route route, read_route(routes, name));
    out.routes.push_back(std::move(route));
  }
  TRY(const JsonReader store, top.object("storeAndForwardConfiguration", true));
  TRY(const int64_t life, store.integer_or("timeToLiveSecs", 7200, 0, UINT32_MAX));
  out.time_to_live = static_cast<uint32_t>(life);
  TRY(const JsonReader limits, store.object("storeLimits", true));
  if (limits.find("maxSizeBytes") != nullptr) {
    TRY(const int64_t bytes, limits.integer_or("maxSizeBytes", 0, 0, INT64_MAX));
    out.max_bytes = static_cast<uint64_t>(bytes);
  }
  return out;
}

}  // namespace

std::string source_of(const Message& message) {
  if (message.module.empty()) return "/messages/";
  const std::string module = "/messages/modules/" + message.module + "/";
  return message.output.empty() ? module : module + "outputs/" + message.output;
}

bool Route::covers(std::string_view path) const {
  if (source == "/*") return true;
  const auto wanted = split(std::string_view(source).substr(1), '/');
  const auto have = split(path.substr(1), '/');
  for (size_t i = 0; i < wanted.size(); ++i) {
    const bool last = i + 1 == wanted.size();
    if (last && (wanted[i] == "*" || wanted[i].empty())) return i <= have.size();
    if (i >= have.size()) return false;
    if (wanted[i] != "*" && !equal_ignore_case(wanted[i], have[i])) return false;
  }
  return wanted.size() == have.size() || (have.size() == wanted.size() + 1 && have.back().empty());
}

bool Route::takes(const Message& message) const {
  return covers(source_of(message)) && (!condition || condition->holds(message));
}

Result<Route> parse_route(std::string_view text) {
  Route route;
  route.text = std::string(text);
  size_t at = 0;
  while (at < text.size() && space(text[at])) ++at;
  const size_t from = find_word(text, "FROM", at);
  if (from == std::string_view::npos) return wrong(at, "FROM is missing");
  const std::string_view head = trimmed(text.substr(at, from - at));
  if (!head.empty()) {
    const bool all = equal_ignore_case(head.substr(0, 6), "SELECT") &&
                     trimmed(head.substr(6)) == "*" && head.size() > 7;
    if (!all) return wrong(at, "a route begins with FROM or with SELECT * FROM");
  }
  const size_t into = find_word(text, "INTO", from);
  if (into == std::string_view::npos) return wrong(text.size(), "INTO is missing");
  const size_t where = find_word(text.substr(0, into), "WHERE", from);
  const size_t source_end = where == std::string_view::npos ? into : where;
  size_t source_at = from + 4;
  while (source_at < source_end && space(text[source_at])) ++source_at;
  TRY(route.source,
      parse_source(trimmed(text.substr(source_at, source_end - source_at)), source_at));
  if (where != std::string_view::npos) {
    const size_t begin = where + 5;
    auto condition = Condition::parse(text.substr(begin, into - begin));
    if (!condition)
      return fail(Code::invalid_argument, "after WHERE, " + condition.error().message());
    route.condition = std::move(*condition);
  }
  size_t sink_at = into + 4;
  while (sink_at < text.size() && space(text[sink_at])) ++sink_at;
  TRY(route.endpoint, parse_sink(trimmed(text.substr(sink_at)), sink_at));
  return route;
}

Result<HubConfig> parse_hub_config(const json::object& desired) {
  const bool empty =
      std::ranges::all_of(desired, [](const auto& item) { return item.key().starts_with('$'); });
  if (empty)
    return fail(Code::invalid_argument, "manifest_empty", "the desired properties are empty");
  std::string schema;
  auto out = read_all(JsonReader(desired, ""), schema);
  if (!out)
    return fail(Code::invalid_argument, "manifest_format", std::string(out.error().message()));
  if (schema != "1" && !schema.starts_with("1."))
    return fail(Code::invalid_argument, "manifest_schema",
                "schemaVersion: " + schema + " is not one of 1.0 to 1.3");
  return out;
}

std::vector<Destination> destinations(const HubConfig& config, const Message& message) {
  std::vector<Destination> out;
  for (const Route& route : config.routes) {
    if (!route.takes(message)) continue;
    const uint32_t life = route.time_to_live.value_or(config.time_to_live);
    const auto there = std::ranges::find(out, route.endpoint, &Destination::endpoint);
    if (there == out.end())
      out.push_back({route.endpoint, route.priority, life});
    else if (route.priority < there->priority)
      *there = {route.endpoint, route.priority, life};
  }
  return out;
}

}  // namespace holdfast::broker
