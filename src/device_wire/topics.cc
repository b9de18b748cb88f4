#include "device_wire/topics.h"

#include "base/bytes.h"

namespace holdfast::device_wire {
namespace {

std::unexpected<Error> wrong(std::string_view topic) {
  return fail(Code::invalid_argument,
              "not a topic of the device protocol: '" + std::string(topic.substr(0, 200)) + "'");
}

// Takes `head` off the front; false where it does not begin so.
bool eat(std::string_view& text, std::string_view head) {
  if (!text.starts_with(head)) return false;
  text.remove_prefix(head.size());
  return true;
}

// "devices/{d}/…" or "devices/{d}/modules/{m}/…"; ids may be percent-encoded.
Result<Address> eat_address(std::string_view& text) {
  const std::string_view all = text;
  const auto segment = [&]() -> Result<std::string> {
    const size_t slash = text.find('/');
    if (slash == std::string_view::npos || slash == 0) return wrong(all);
    TRY(std::string id, percent_decode(text.substr(0, slash)));
    text.remove_prefix(slash + 1);
    return id;
  };
  Address out;
  if (!eat(text, "devices/")) return wrong(all);
  TRY(out.device, segment());
  if (eat(text, "modules/")) {
    TRY(out.module, segment());
  }
  return out;
}

// "?$rid=R" and perhaps further fields, of which `version` is "$version".
struct Query {
  std::string rid;
  std::optional<uint64_t> version;
};
Result<Query> query_of(std::string_view text, std::string_view topic) {
  Query out;
  if (!eat(text, "?")) return wrong(topic);
  for (const std::string_view pair : split(text, '&')) {
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return wrong(topic);
    const std::string_view name = pair.substr(0, equals), value = pair.substr(equals + 1);
    if (name == "$rid") out.rid = std::string(value);
    if (name == "$version") {
      out.version = parse_u64(value);
      if (!out.version) return wrong(topic);
    }
  }
  return out;
}

Result<std::string> rid_of(std::string_view text, std::string_view topic) {
  TRY(Query query, query_of(text, topic));
  if (query.rid.empty() || query.rid.size() > 256) return wrong(topic);
  return std::move(query.rid);
}

// "{number}/" off the front.
Result<int> eat_status(std::string_view& text, std::string_view topic) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return wrong(topic);
  std::string_view digits = text.substr(0, slash);
  const bool negative = eat(digits, "-");
  const auto number = parse_u64(digits);
  if (!number || *number > 1'000'000'000) return wrong(topic);
  text.remove_prefix(slash + 1);
  return negative ? -static_cast<int>(*number) : static_cast<int>(*number);
}

}  // namespace

Result<FromDevice> parse_from_device(std::string_view topic) {
  std::string_view rest = topic;
  if (eat(rest, "$iothub/twin/GET/")) {
    TRY(std::string rid, rid_of(rest, topic));
    return TwinGet{std::move(rid)};
  }
  if (eat(rest, "$iothub/twin/PATCH/properties/reported/")) {
    TRY(std::string rid, rid_of(rest, topic));
    return ReportedPatch{std::move(rid)};
  }
  if (eat(rest, "$iothub/methods/res/")) {
    TRY(const int status, eat_status(rest, topic));
    if (!eat(rest, "?$rid=") || rest.empty() || rest.size() > 256) return wrong(topic);
    return MethodResponse{status, std::string(rest)};
  }
  Telemetry out;
  TRY(out.from, eat_address(rest));
  if (!eat(rest, "messages/events")) return wrong(topic);
  if (!rest.empty() && !eat(rest, "/")) return wrong(topic);
  if (rest.find('/') != std::string_view::npos && !rest.ends_with('/')) return wrong(topic);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  TRY(out.properties, decode_properties(rest));
  return out;
}

std::string telemetry_topic(const Address& from, const Properties& properties) {
  std::string out = "devices/" + percent_encode(from.device);
  if (!from.module.empty()) out += "/modules/" + percent_encode(from.module);
  return out + "/messages/events/" + encode_properties(properties);
}
std::string twin_get_topic(std::string_view rid) {
  return "$iothub/twin/GET/?$rid=" + std::string(rid);
}
std::string reported_patch_topic(std::string_view rid) {
  return "$iothub/twin/PATCH/properties/reported/?$rid=" + std::string(rid);
}
std::string method_response_topic(int status, std::string_view rid) {
  return "$iothub/methods/res/" + std::to_string(status) + "/?$rid=" + std::string(rid);
}

Result<ToDevice> parse_to_device(std::string_view topic) {
  std::string_view rest = topic;
  if (eat(rest, "$iothub/twin/res/")) {
    TwinResponse out;
    TRY(out.status, eat_status(rest, topic));
    TRY(Query query, query_of(rest, topic));
    out.rid = std::move(query.rid);
    out.version = query.version;
    return out;
  }
  if (eat(rest, "$iothub/twin/PATCH/properties/desired/")) {
    TRY(const Query query, query_of(rest, topic));
    if (!query.version) return wrong(topic);
    return DesiredPatch{*query.version};
  }
  if (eat(rest, "$iothub/methods/POST/")) {
    const size_t slash = rest.find('/');
    if (slash == std::string_view::npos || slash == 0) return wrong(topic);
    MethodRequest out;
    out.name = std::string(rest.substr(0, slash));
    rest.remove_prefix(slash + 1);
    if (!eat(rest, "?$rid=") || rest.empty()) return wrong(topic);
    out.rid = std::string(rest);
    return out;
  }
  TRY(Address to, eat_address(rest));
  if (eat(rest, "messages/devicebound/")) {
    CloudMessage out{std::move(to), {}};
    TRY(out.properties, decode_properties(rest));
    return out;
  }
  if (!eat(rest, "inputs/")) return wrong(topic);
  InputMessage out{std::move(to), {}, {}};
  const size_t slash = rest.find('/');
  TRY(out.input, percent_decode(rest.substr(0, slash)));
  if (slash != std::string_view::npos) {
    TRY(out.properties, decode_properties(rest.substr(slash + 1)));
  }
  return out;
}

std::string twin_response_topic(int status, std::string_view rid, std::optional<uint64_t> version) {
  std::string out = "$iothub/twin/res/" + std::to_string(status) + "/?$rid=" + std::string(rid);
  if (version) out += "&$version=" + std::to_string(*version);
  return out;
}
std::string desired_patch_topic(uint64_t version) {
  return "$iothub/twin/PATCH/properties/desired/?$version=" + std::to_string(version);
}
std::string method_request_topic(std::string_view name, std::string_view rid) {
  return "$iothub/methods/POST/" + std::string(name) + "/?$rid=" + std::string(rid);
}
std::string cloud_message_topic(std::string_view base, const Properties& properties) {
  return std::string(base) + encode_properties(properties);
}
std::string input_topic(std::string_view base, std::string_view input,
                        const Properties& properties) {
  return std::string(base) + percent_encode(input) + "/" + encode_properties(properties);
}

std::optional<Subject> subject_of(std::string_view filter, const Address& who) {
  if (filter == kTwinResponses) return Subject{Subject::twin_responses, {}};
  if (filter == kDesiredPatches) return Subject{Subject::desired, {}};
  if (filter == kMethods) return Subject{Subject::methods, {}};
  std::string_view rest = filter;
  const auto address = eat_address(rest);
  if (!address || *address != who) return std::nullopt;
  const std::string base(filter.substr(0, filter.size() - 1));
  if (who.module.empty()) {
    if (rest == "messages/devicebound/#") return Subject{Subject::cloud_messages, base};
    return std::nullopt;
  }
  if (rest == "inputs/#") return Subject{Subject::inputs, base};
  // The C SDK's filter for all that a module may receive.
  if (rest == "#") return Subject{Subject::inputs, base + "inputs/"};
  return std::nullopt;
}

std::string cloud_message_filter(std::string_view device) {
  return "devices/" + percent_encode(device) + "/messages/devicebound/#";
}
std::string inputs_filter(const Address& module) {
  return "devices/" + percent_encode(module.device) + "/modules/" + percent_encode(module.module) +
         "/inputs/#";
}

}  // namespace holdfast::device_wire
