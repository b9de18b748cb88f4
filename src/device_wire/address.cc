#include "device_wire/address.h"

#include "base/bytes.h"

namespace holdfast::device_wire {
namespace {

std::unexpected<Error> wrong(std::string text) {
  return fail(Code::invalid_argument, std::move(text));
}

// The part of the user name after the ids: "api-version=V&…", values URL-encoded.
Result<void> read_query(std::string_view query, ConnectName& into) {
  for (const std::string_view pair : split(query, '&')) {
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    TRY(std::string value, percent_decode(pair.substr(equals + 1)));
    const std::string_view name = pair.substr(0, equals);
    if (name == "api-version") into.api_version = std::move(value);
    if (equal_ignore_case(name, "DeviceClientType")) into.client_type = std::move(value);
    if (name == "model-id") into.model_id = std::move(value);
  }
  if (into.api_version.empty()) return wrong("the user name has no api-version");
  return {};
}

}  // namespace

Result<void> check_id(std::string_view id, std::string_view what) {
  constexpr std::string_view signs = "-.+%_#*?!(),:=@$'";
  bool fits = !id.empty() && id.size() <= 128;
  for (const char c : id) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    fits = fits && (plain || signs.find(c) != std::string_view::npos);
  }
  if (fits) return {};
  return wrong("not a " + std::string(what) + " id: 1 to 128 letters, digits and signs of " +
               std::string(signs));
}

Result<Address> parse_address(std::string_view text) {
  Address out;
  const size_t slash = text.find('/');
  out.device = std::string(text.substr(0, slash));
  TRY_VOID(check_id(out.device, "device"));
  if (slash == std::string_view::npos) return out;
  out.module = std::string(text.substr(slash + 1));
  TRY_VOID(check_id(out.module, "module"));
  return out;
}

Result<ConnectName> parse_connect_name(std::string_view username) {
  ConnectName out;
  // Ids may hold '?' and '=', so the query is what follows the last mark that begins it.
  size_t end = username.rfind("?api-version=");
  size_t query = end == std::string_view::npos ? end : end + 1;
  if (end == std::string_view::npos) {
    end = username.rfind("/api-version=");
    query = end == std::string_view::npos ? end : end + 1;
  }
  if (end == std::string_view::npos) {
    // Other fields may come first: "…/?DeviceClientType=x&api-version=V".
    end = username.find("/?");
    if (end == std::string_view::npos) return wrong("the user name has no api-version");
    query = end + 2;
  }
  TRY_VOID(read_query(username.substr(query), out));
  std::string_view ids = username.substr(0, end);
  if (ids.ends_with('/')) ids.remove_suffix(1);
  const size_t slash = ids.find('/');
  if (slash == std::string_view::npos || slash == 0)
    return wrong("the user name is not HOST/DEVICE[/MODULE]/?api-version=…");
  out.host = std::string(ids.substr(0, slash));
  TRY(out.address, parse_address(ids.substr(slash + 1)));
  return out;
}

std::string format_connect_name(const ConnectName& name) {
  std::string out =
      name.host + "/" + name.address.text() + "/?api-version=" + percent_encode(name.api_version);
  if (!name.client_type.empty()) out += "&DeviceClientType=" + percent_encode(name.client_type);
  if (!name.model_id.empty()) out += "&model-id=" + percent_encode(name.model_id);
  return out;
}

Result<ConnectionString> parse_connection_string(std::string_view text) {
  ConnectionString out;
  std::string x509;
  const std::pair<std::string_view, std::string*> keys[] = {
      {"HostName", &out.host},           {"DeviceId", &out.address.device},
      {"ModuleId", &out.address.module}, {"SharedAccessKeyName", &out.key_name},
      {"SharedAccessKey", &out.key},     {"SharedAccessSignature", &out.signature},
      {"GatewayHostName", &out.gateway}, {"x509", &x509}};
  for (const std::string_view part : split(text, ';')) {
    if (trim(part).empty()) continue;
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos)
      return wrong("a connection string is KEY=VALUE;KEY=VALUE;…");
    const std::string_view name = trim(part.substr(0, equals));
    std::string* into = nullptr;
    for (const auto& [key, value] : keys) {
      if (key == name) into = value;
    }
    if (into == nullptr)
      return wrong("unknown key '" + std::string(name) + "' in the connection string");
    if (!into->empty()) return wrong("the key '" + std::string(name) + "' is there twice");
    *into = std::string(trim(part.substr(equals + 1)));
    if (into->empty()) return wrong("the key '" + std::string(name) + "' has no value");
  }
  if (out.host.empty()) return wrong("the connection string has no HostName");
  if (!x509.empty()) return fail(Code::unsupported, "x509 connection strings are not offered");
  if (!out.address.module.empty() && out.address.device.empty())
    return wrong("the connection string has a ModuleId and no DeviceId");
  if (!out.address.device.empty()) TRY_VOID(check_id(out.address.device, "device"));
  if (!out.address.module.empty()) TRY_VOID(check_id(out.address.module, "module"));
  if (!out.key.empty() && !from_base64(out.key)) return wrong("the SharedAccessKey is not base64");
  if (out.key.empty() && out.signature.empty())
    return wrong("the connection string has neither SharedAccessKey nor SharedAccessSignature");
  return out;
}

std::string format_connection_string(const ConnectionString& value) {
  std::string out = "HostName=" + value.host;
  const auto add = [&](std::string_view name, const std::string& text) {
    if (!text.empty()) out += ";" + std::string(name) + "=" + text;
  };
  add("DeviceId", value.address.device);
  add("ModuleId", value.address.module);
  add("SharedAccessKeyName", value.key_name);
  add("SharedAccessKey", value.key);
  add("SharedAccessSignature", value.signature);
  add("GatewayHostName", value.gateway);
  return out;
}

}  // namespace holdfast::device_wire
