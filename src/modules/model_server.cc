#include "modules/model_server.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/digest.h"
#include "base/json_reader.h"

namespace holdfast::modules {
namespace {

namespace json = boost::json;

std::string message_of(const std::string& body) {
  const auto object = parse_json_object(body, "");
  const json::value* text = object ? object->if_contains("error") : nullptr;
  return text != nullptr && text->is_string() ? std::string(text->get_string())
                                              : body.substr(0, 200);
}

std::string text_at(const json::object& object, const char* key) {
  const json::value* text = object.if_contains(key);
  return text != nullptr && text->is_string() ? std::string(text->get_string()) : "";
}

std::string version_path(const std::string& name, int64_t version) {
  return "api/v1/models/" + percent_encode(name) + "/versions/" + std::to_string(version);
}

}  // namespace

Task<Result<std::string>> HttpModelServer::call(http::ClientRequest request) {
  request.url.insert(0, url_);
  CO_TRY(auto answer, co_await client_.fetch(std::move(request)));
  if (answer.status / 100 == 2) co_return std::move(answer.body);
  const Code code = answer.status == 404   ? Code::not_found
                    : answer.status == 409 ? Code::conflict
                    : answer.status == 403 ? Code::denied
                    : answer.status < 500  ? Code::invalid_argument
                                           : Code::unavailable;
  co_return fail(code, "the inference server: " + message_of(answer.body));
}

Task<Result<std::vector<Served>>> HttpModelServer::list() {
  CO_TRY(const std::string body, co_await call(http::ClientRequest("GET", "api/v1/models")));
  CO_TRY(const json::object answer, parse_json_object(body, "the inference server's list"));
  const json::value* models = answer.if_contains("models");
  if (models == nullptr || !models->is_array())
    co_return fail(Code::unavailable, "the inference server's list has no models");
  std::vector<Served> out;
  for (const json::value& item : models->get_array()) {
    if (!item.is_object()) continue;
    const json::object& one = item.get_object();
    Served served;
    served.name = text_at(one, "name");
    served.version = static_cast<int64_t>(parse_u64(text_at(one, "version")).value_or(0));
    served.digest = text_at(one, "digest");
    served.ready = text_at(one, "state") == "READY";
    const json::value* current = one.if_contains("current");
    served.current = current != nullptr && current->is_bool() && current->get_bool();
    served.reason = text_at(one, "reason");
    out.push_back(std::move(served));
  }
  CO_TRY_VOID(co_await mark_trials(out));
  co_return out;
}

Task<Result<void>> HttpModelServer::mark_trials(std::vector<Served>& served) {
  CO_TRY(const std::string body, co_await call(http::ClientRequest("GET", "api/v1/canaries")));
  CO_TRY(const json::object answer, parse_json_object(body, "the inference server's trials"));
  const json::value* trials = answer.if_contains("canaries");
  if (trials == nullptr || !trials->is_array()) co_return Result<void>();
  for (const json::value& item : trials->get_array()) {
    if (!item.is_object() || text_at(item.get_object(), "state") != "running") continue;
    const std::string name = text_at(item.get_object(), "model");
    const std::string version = text_at(item.get_object(), "version");
    for (Served& one : served)
      if (one.name == name && std::to_string(one.version) == version) one.on_trial = true;
  }
  co_return Result<void>();
}

Task<Result<std::string>> HttpModelServer::put(std::string name, int64_t version,
                                               http::FileRange onnx, Put how) {
  std::string query = how.beside ? "?stage=true" : "";
  if (!how.run.empty()) query += (query.empty() ? "?run=" : "&run=") + percent_encode(how.run);
  http::ClientRequest request("PUT", version_path(name, version) + query);
  request.file = std::move(onnx);
  request.timeout = std::chrono::minutes(10);  // loading and warming up a large one
  CO_TRY(const std::string body, co_await call(std::move(request)));
  CO_TRY(const json::object answer, parse_json_object(body, "the inference server's answer"));
  co_return text_at(answer, "digest");
}

Task<Result<void>> HttpModelServer::set_profile(std::string name, int64_t version,
                                                std::string profile) {
  http::ClientRequest request("PUT", version_path(name, version) + "/profile");
  request.body = std::move(profile);
  request.timeout = std::chrono::minutes(10);  // the model is loaded where it is not
  CO_TRY_VOID(co_await call(std::move(request)));
  co_return Result<void>();
}

Task<Result<void>> HttpModelServer::activate(std::string name, int64_t version) {
  http::ClientRequest request("POST", version_path(name, version) + "/activate");
  request.timeout = std::chrono::minutes(10);
  CO_TRY_VOID(co_await call(std::move(request)));
  co_return Result<void>();
}

Task<Result<void>> HttpModelServer::try_out(std::string name, int64_t version,
                                            json::object canary) {
  const std::string place = "api/v1/models/" + percent_encode(name) + "/canary";
  const auto ended = co_await call(http::ClientRequest("POST", place + "/abort"));
  if (!ended && ended.error().code() != Code::conflict) co_return std::unexpected(ended.error());
  canary["version"] = version;
  http::ClientRequest request("POST", place);
  request.body = json::serialize(canary);
  request.timeout = std::chrono::minutes(10);  // it is loaded where it is not
  CO_TRY_VOID(co_await call(std::move(request)));
  co_return Result<void>();
}

Task<Result<void>> HttpModelServer::unload(std::string name) {
  http::ClientRequest request("POST", "v2/repository/models/" + percent_encode(name) + "/unload");
  CO_TRY_VOID(co_await call(std::move(request)));
  co_return Result<void>();
}

Task<Result<void>> HttpModelServer::remove(std::string name) {
  http::ClientRequest request("DELETE", "api/v1/models/" + percent_encode(name));
  CO_TRY_VOID(co_await call(std::move(request)));
  co_return Result<void>();
}

Result<void> MemoryModelServer::here() const {
  if (away_) return fail(Code::unavailable, "the inference server is away");
  return {};
}

Task<Result<std::vector<Served>>> MemoryModelServer::list() {
  const std::lock_guard lock(mutex_);
  CO_TRY_VOID(here());
  std::vector<Served> out;
  for (const auto& [name, model] : models_) {
    for (const auto& [version, digest] : model.versions) {
      const bool refused = version == model.refused_version;
      const bool loaded = model.current != 0 && !refused;
      out.push_back({name, version, loaded ? digest : "", loaded, version == model.current,
                     version == model.tried,
                     loaded    ? ""
                     : refused ? model.refused
                               : "unloaded"});
    }
  }
  co_return out;
}

Task<Result<std::string>> MemoryModelServer::put(std::string name, int64_t version,
                                                 http::FileRange onnx, Put how) {
  std::string bytes(onnx.size, '\0');
  CO_TRY_VOID(read_exact(onnx.fd->get(), std::as_writable_bytes(std::span(bytes)), onnx.offset));
  const std::lock_guard lock(mutex_);
  CO_TRY_VOID(here());
  if (!bytes.starts_with("onnx")) co_return fail(Code::invalid_argument, "not a model");
  const std::string digest = "sha256:" + sha256_hex(as_bytes(bytes));
  Model& model = models_[name];
  const auto [at, fresh] = model.versions.try_emplace(version, digest);
  if (!fresh && at->second != digest)
    co_return fail(Code::conflict, "the version exists with other bytes");
  if (fresh) model.runs[version] = how.run;
  if (!how.beside || model.current == 0) model.current = std::max(model.current, version);
  co_return digest;
}

Task<Result<void>> MemoryModelServer::set_profile(std::string name, int64_t version,
                                                  std::string profile) {
  const std::lock_guard lock(mutex_);
  CO_TRY_VOID(here());
  if (!models_[name].versions.contains(version)) co_return fail(Code::not_found, "no such version");
  if (!profile.starts_with("profile")) co_return fail(Code::invalid_argument, "not a profile");
  models_[name].profiles[version] = std::move(profile);
  co_return Result<void>();
}

Task<Result<void>> MemoryModelServer::activate(std::string name, int64_t version) {
  const std::lock_guard lock(mutex_);
  CO_TRY_VOID(here());
  const auto found = models_.find(name);
  if (found == models_.end() || !found->second.versions.contains(version))
    co_return fail(Code::not_found, "no such version");
  found->second.current = version;
  co_return Result<void>();
}

Task<Result<void>> MemoryModelServer::try_out(std::string name, int64_t version,
                                              json::object canary) {
  const std::lock_guard lock(mutex_);
  CO_TRY_VOID(here());
  Model& model = models_[name];
  if (model.current == 0 || model.current == version || model.refused_version == version)
    co_return fail(Code::conflict, "it can not be tried");
  model.tried = version;
  model.canary = std::move(canary);
  co_return Result<void>();
}

void MemoryModelServer::end_trial(const std::string& name, bool promoted) {
  const std::lock_guard lock(mutex_);
  Model& model = models_[name];
  if (promoted) {
    model.current = model.tried;
  } else {
    model.refused = "refused: errors";
    model.refused_version = model.tried;
  }
  model.tried = 0;
}

json::object MemoryModelServer::canary(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(name);
  return found == models_.end() || found->second.tried == 0 ? json::object() : found->second.canary;
}

std::string MemoryModelServer::profile(const std::string& name, int64_t version) const {
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(name);
  if (found == models_.end() || !found->second.profiles.contains(version)) return "";
  return found->second.profiles.at(version);
}

std::string MemoryModelServer::run(const std::string& name, int64_t version) const {
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(name);
  if (found == models_.end() || !found->second.runs.contains(version)) return "";
  return found->second.runs.at(version);
}

Task<Result<void>> MemoryModelServer::unload(std::string name) {
  const std::lock_guard lock(mutex_);
  CO_TRY_VOID(here());
  const auto found = models_.find(name);
  if (found == models_.end()) co_return fail(Code::not_found, "no such model");
  found->second.current = 0;
  co_return Result<void>();
}

Task<Result<void>> MemoryModelServer::remove(std::string name) {
  const std::lock_guard lock(mutex_);
  CO_TRY_VOID(here());
  models_.erase(name);
  co_return Result<void>();
}

void MemoryModelServer::set_away(bool away) {
  const std::lock_guard lock(mutex_);
  away_ = away;
}

}  // namespace holdfast::modules
