#include "modules/docker/docker_engine.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/json_reader.h"
#include "net/http/address.h"

namespace holdfast::modules {
namespace {

namespace json = boost::json;
using std::chrono::seconds;

constexpr std::string_view kOwner = "Microsoft.Azure.Devices.Edge.Agent";
constexpr std::string_view kPrefix = "net.azure-devices.edge.";
constexpr const char* kFingerprint = "dev.holdfast.fingerprint";
constexpr const char* kModule = "dev.holdfast.module";
constexpr const char* kDevice = "dev.holdfast.device";

std::string message_of(const std::string& body) {
  boost::system::error_code error;
  const json::value value = json::parse(body, error);
  const json::value* text =
      !error && value.is_object() ? value.get_object().if_contains("message") : nullptr;
  return text != nullptr && text->is_string() ? std::string(text->get_string())
                                              : body.substr(0, 200);
}

Error engine_error(unsigned status, const std::string& body) {
  const Code code = status == 404                    ? Code::not_found
                    : status == 409                  ? Code::conflict
                    : status == 401 || status == 403 ? Code::denied
                    : status == 400                  ? Code::invalid_argument
                                                     : Code::unavailable;
  return {code, "the container engine: " + message_of(body)};
}

// A registry's refusal comes as a 200 whose stream of JSON objects holds an "error".
Result<void> stream_outcome(std::string_view body) {
  for (const std::string_view line : split(body, '\n')) {
    boost::system::error_code error;
    const json::value value = json::parse(trim(line), error);
    if (error || !value.is_object()) continue;
    const json::value* said = value.get_object().if_contains("error");
    if (said != nullptr && said->is_string())
      return fail(Code::unavailable, "the container engine: " + std::string(said->get_string()));
  }
  return {};
}

WallTime time_at(const json::object& state, const char* key) {
  const json::value* text = state.if_contains(key);
  if (text == nullptr || !text->is_string()) return {};
  const auto time = parse_rfc3339(std::string_view(text->get_string()));
  return time && *time > WallTime{} ? *time : WallTime{};  // "0001-01-01…": never
}

std::string label(const json::object& container, const char* name) {
  const json::value* labels = container.if_contains("Labels");
  const json::value* text =
      labels != nullptr && labels->is_object() ? labels->get_object().if_contains(name) : nullptr;
  return text != nullptr && text->is_string() ? std::string(text->get_string()) : "";
}

std::string text_at(const json::object& object, const char* key) {
  const json::value* text = object.if_contains(key);
  return text != nullptr && text->is_string() ? std::string(text->get_string()) : "";
}

Running running_state(std::string_view state) {
  if (state == "running" || state == "restarting" || state == "paused" || state == "stopping")
    return Running::running;
  return state == "created" || state == "configured" || state == "initialized" ? Running::created
                                                                               : Running::exited;
}

}  // namespace

json::object create_body(const ContainerSpec& spec, const DockerOptions& engine) {
  json::object body = spec.create_options;
  body["Image"] = spec.image;
  json::array env;
  if (const json::value* own = body.if_contains("Env"); own != nullptr && own->is_array()) {
    for (const json::value& entry : own->get_array()) {
      const bool ours = entry.is_string() && std::ranges::any_of(spec.env, [&](const auto& one) {
                          return std::string_view(entry.get_string()).starts_with(one.first + "=");
                        });
      if (!ours) env.push_back(entry);
    }
  }
  for (const auto& [key, value] : spec.env) env.emplace_back(key + "=" + value);
  body["Env"] = std::move(env);
  json::object labels;
  if (const json::value* own = body.if_contains("Labels"); own != nullptr && own->is_object())
    labels = own->get_object();
  for (const auto& [key, value] : spec.labels) labels[std::string(kPrefix) + key] = value;
  labels[std::string(kPrefix) + "owner"] = kOwner;
  labels[kFingerprint] = spec.fingerprint;
  labels[kModule] = spec.name;
  labels[kDevice] = engine.device;
  body["Labels"] = std::move(labels);
  if (!engine.binds.empty()) {
    json::value& host = body["HostConfig"];
    if (!host.is_object()) host = json::object();
    json::value& binds = host.get_object()["Binds"];
    if (!binds.is_array()) binds = json::array();
    for (const std::string& bind : engine.binds) binds.get_array().emplace_back(bind);
  }
  return body;
}

std::string unframed(std::string_view bytes) {
  std::string out;
  while (bytes.size() >= 8 && bytes[0] >= 0 && bytes[0] <= 2 && bytes[1] == 0 && bytes[2] == 0 &&
         bytes[3] == 0) {
    size_t size = 0;
    for (size_t i = 4; i < 8; ++i) size = size << 8 | static_cast<unsigned char>(bytes[i]);
    bytes.remove_prefix(8);
    out += bytes.substr(0, size);
    bytes.remove_prefix(std::min(size, bytes.size()));
  }
  return out + std::string(bytes);
}

DockerEngine::DockerEngine(DockerOptions options, std::string base, http::ClientOptions client)
    : options_(std::move(options)), base_(std::move(base)), client_(std::move(client)) {}

Result<std::unique_ptr<DockerEngine>> DockerEngine::open(DockerOptions options) {
  http::ClientOptions client;
  client.connections_per_host = 8;  // a pull holds one for long
  std::string base = "http://docker";
  if (options.endpoint.starts_with("unix:///")) {
    client.unix_socket = options.endpoint.substr(7);
  } else if (options.endpoint.starts_with("http://") && http::parse_url(options.endpoint)) {
    base = options.endpoint;
  } else {
    return fail(Code::invalid_argument,
                "'" + options.endpoint + "' is not unix:///PATH or http://HOST:PORT");
  }
  return std::unique_ptr<DockerEngine>(
      new DockerEngine(std::move(options), base + "/v1.41", std::move(client)));
}

http::ClientRequest DockerEngine::request(std::string method, std::string path) const {
  http::ClientRequest out(std::move(method), base_ + path);
  out.headers.set("content-type", "application/json");
  return out;
}

Task<Result<std::string>> DockerEngine::call(http::ClientRequest request, unsigned wanted,
                                             unsigned also) {
  CO_TRY(auto answer, co_await client_.fetch(std::move(request), 16 << 20));
  if (answer.status != wanted && answer.status != also)
    co_return std::unexpected(engine_error(answer.status, answer.body));
  co_return std::move(answer.body);
}

Task<Result<json::object>> DockerEngine::version() {
  CO_TRY(const std::string body, co_await call(request("GET", "/version"), 200));
  co_return parse_json_object(body, "the engine's version");
}

Task<Result<bool>> DockerEngine::has_image(std::string reference) {
  auto found =
      co_await call(request("GET", "/images/" + percent_encode(reference, "/:@") + "/json"), 200);
  if (!found && found.error().code() == Code::not_found) co_return false;
  if (!found) co_return std::unexpected(found.error());
  co_return true;
}

Task<Result<void>> DockerEngine::pull(std::string reference, RegistryCredential credential) {
  http::ClientRequest ask =
      request("POST", "/images/create?fromImage=" + percent_encode(reference));
  ask.timeout = std::chrono::minutes(30);
  if (!credential.address.empty()) {
    const json::object auth{{"username", credential.username},
                            {"password", credential.password},
                            {"serveraddress", credential.address}};
    ask.headers.set("x-registry-auth", base64(as_bytes(json::serialize(auth))));
  }
  CO_TRY(const std::string body, co_await call(std::move(ask), 200));
  co_return stream_outcome(body);
}

Task<Result<void>> DockerEngine::load(http::FileRange tar) {
  http::ClientRequest ask = request("POST", "/images/load?quiet=1");
  ask.headers.set("content-type", "application/x-tar");
  ask.file = std::move(tar);
  ask.timeout = std::chrono::minutes(30);
  CO_TRY(const std::string body, co_await call(std::move(ask), 200));
  co_return stream_outcome(body);
}

Task<Result<void>> DockerEngine::prepare(ContainerSpec spec) {
  CO_TRY(const bool there, co_await has_image(spec.image));
  if (there) co_return Result<void>();
  if (spec.pull == PullPolicy::never)
    co_return fail(Code::not_found,
                   "there is no image " + spec.image + " here, and its imagePullPolicy is never");
  co_return co_await pull(spec.image, spec.registry);
}

Task<Result<void>> DockerEngine::create(ContainerSpec spec) {
  http::ClientRequest ask = request("POST", "/containers/create?name=" + percent_encode(spec.name));
  ask.body = json::serialize(create_body(spec, options_));
  CO_TRY_VOID(co_await call(std::move(ask), 201));
  co_return Result<void>();
}

Task<Result<void>> DockerEngine::start(std::string name) {
  CO_TRY_VOID(co_await call(request("POST", "/containers/" + name + "/start"), 204, 304));
  co_return Result<void>();
}

Task<Result<void>> DockerEngine::stop(std::string name, seconds grace) {
  http::ClientRequest ask =
      request("POST", "/containers/" + name + "/stop?t=" + std::to_string(grace.count()));
  ask.timeout += grace;
  CO_TRY_VOID(co_await call(std::move(ask), 204, 304));
  co_return Result<void>();
}

Task<Result<void>> DockerEngine::remove(std::string name) {
  auto done =
      co_await call(request("DELETE", "/containers/" + name + "?force=true&v=true"), 204, 200);
  if (!done && done.error().code() != Code::not_found) co_return std::unexpected(done.error());
  co_return Result<void>();
}

Task<Result<std::vector<Actual>>> DockerEngine::list() {
  const json::object filters{{"label", json::array{std::string(kDevice) + "=" + options_.device}}};
  http::ClientRequest ask = request(
      "GET", "/containers/json?all=true&filters=" + percent_encode(json::serialize(filters)));
  CO_TRY(const std::string body, co_await call(std::move(ask), 200));
  boost::system::error_code error;
  const json::value all = json::parse(body, error);
  if (error || !all.is_array())
    co_return fail(Code::unavailable, "the container engine's list is not a list");
  std::vector<Actual> out;
  for (const json::value& item : all.get_array()) {
    if (!item.is_object()) continue;
    const json::object& one = item.get_object();
    Actual actual;
    actual.name = label(one, kModule);
    if (actual.name.empty()) continue;
    actual.fingerprint = label(one, kFingerprint);
    actual.image_id = text_at(one, "ImageID");
    actual.state = running_state(text_at(one, "State"));
    if (actual.state == Running::exited) {
      // The list does not tell how it ended.
      auto found = co_await call(request("GET", "/containers/" + actual.name + "/json"), 200);
      if (!found && found.error().code() == Code::not_found) continue;
      if (!found) co_return std::unexpected(found.error());
      CO_TRY(const json::object inspected, parse_json_object(*found, "the container"));
      CO_TRY(const JsonReader state, JsonReader(inspected, "").object("State"));
      CO_TRY(const int64_t code, state.integer_or("ExitCode", 0, INT32_MIN, INT32_MAX));
      actual.exit_code = static_cast<int>(code);
      actual.started = time_at(state.raw(), "StartedAt");
      actual.finished = time_at(state.raw(), "FinishedAt");
    }
    out.push_back(std::move(actual));
  }
  co_return out;
}

Task<Result<std::string>> DockerEngine::logs(std::string name, unsigned lines) {
  CO_TRY(const std::string body,
         co_await call(request("GET", "/containers/" + name +
                                          "/logs?stdout=1&stderr=1&tail=" + std::to_string(lines)),
                       200));
  std::string text = unframed(body);
  if (text.size() > (128 << 10)) text.erase(0, text.size() - (128 << 10));
  co_return text;
}

}  // namespace holdfast::modules
