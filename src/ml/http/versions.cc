// Versions of registered models.
#include "ml/http/registry.h"

namespace holdfast::ml {
namespace {

struct Named {
  std::string name;
  int64_t number = 0;
};

Result<Named> named(const Args& args) {
  Named out;
  TRY(out.name, args.text("name"));
  TRY(out.number, args.integer("version"));
  return out;
}

// The part behind "scheme:", without "//host". nullopt where the source is of another scheme.
std::optional<std::string_view> behind(std::string_view source, std::string_view scheme) {
  if (!source.starts_with(scheme)) return std::nullopt;
  source.remove_prefix(scheme.size());
  if (source.starts_with("//")) {
    const size_t slash = source.find('/', 2);
    if (slash == std::string_view::npos) return std::nullopt;
    source.remove_prefix(slash);
  }
  if (source.starts_with('/')) source.remove_prefix(1);
  return source;
}

// Where the bytes of a source lie, and the run that made them where `version` does not say. Only
// what is in our own artifacts is taken: no other scheme, no fragment, no way up.
Task<Result<std::string>> root_of(Call call, NewVersion& version) {
  const std::string& source = version.source;
  if (source.find_first_of("#?") != std::string::npos)
    co_return fail(Code::invalid_argument, "Invalid model version source: '" + source + "'");
  if (const auto path = behind(source, "mlflow-artifacts:")) co_return artifact_path(*path);
  if (const auto path = behind(source, "runs:")) {
    const size_t slash = path->find('/');
    CO_TRY(const Run run, co_await call.ml.tracking->run(std::string(path->substr(0, slash))));
    if (slash == std::string_view::npos) co_return run.artifact_root();
    CO_TRY(const std::string below, artifact_path(path->substr(slash + 1)));
    co_return run.artifact_root() + "/" + below;
  }
  if (const auto path = behind(source, "models:")) {
    const size_t slash = path->find('/');
    if (slash == std::string_view::npos) {
      CO_TRY(const LoggedModel model, co_await call.ml.logged_models->model(std::string(*path)));
      if (version.run.empty()) version.run = model.run;
      co_return model.artifact_root();
    }
    const auto number = parse_u64(path->substr(slash + 1));
    if (number && *number > 0 && *number <= INT64_MAX) {
      CO_TRY(const ModelVersion other,
             co_await call.ml.models->version(std::string(path->substr(0, slash)),
                                              static_cast<int64_t>(*number)));
      co_return other.root;
    }
  }
  co_return fail(Code::invalid_argument,
                 "Invalid model version source: '" + source +
                     "'. It must be in this server's artifacts: runs:/, models:/ or "
                     "mlflow-artifacts:/");
}

Answer create(Call call) {
  NewVersion version;
  CO_TRY(version.model, call.args.text("name"));
  CO_TRY(version.source, call.args.text("source"));
  CO_TRY(version.run, call.args.text_or("run_id"));
  CO_TRY(version.logged_model, call.args.text_or("model_id"));
  CO_TRY(version.run_link, call.args.text_or("run_link"));
  CO_TRY(version.description, call.args.text_or("description"));
  CO_TRY(version.tags, call.args.pairs("tags"));
  version.user = call.caller.name;
  CO_TRY(version.root, co_await root_of(call, version));
  CO_TRY(const ModelVersion made, co_await call.ml.models->create_version(std::move(version)));
  co_return answer({{"model_version", describe(made)}});
}

Answer get(Call call) {
  CO_TRY(Named one, named(call.args));
  CO_TRY(const ModelVersion found,
         co_await call.ml.models->version(std::move(one.name), one.number));
  co_return answer({{"model_version", describe(found)}});
}

Answer update(Call call) {
  CO_TRY(Named one, named(call.args));
  CO_TRY(std::string description, call.args.text_or("description"));
  CO_TRY(const ModelVersion found, co_await call.ml.models->describe_version(
                                       std::move(one.name), one.number, std::move(description)));
  co_return answer({{"model_version", describe(found)}});
}

Answer transition(Call call) {
  CO_TRY(Named one, named(call.args));
  CO_TRY(std::string stage, call.args.text("stage"));
  CO_TRY(const bool archive, call.args.flag_or("archive_existing_versions", false));
  CO_TRY(const ModelVersion found, co_await call.ml.models->set_stage(
                                       std::move(one.name), one.number, std::move(stage), archive));
  co_return answer({{"model_version", describe(found)}});
}

Answer remove(Call call) {
  CO_TRY(Named one, named(call.args));
  CO_TRY_VOID(co_await call.ml.models->remove_version(std::move(one.name), one.number));
  co_return answer();
}

Answer set_tag(Call call) {
  CO_TRY(Named one, named(call.args));
  CO_TRY(std::string key, call.args.text("key"));
  CO_TRY(std::string value, call.args.text_or("value"));
  CO_TRY_VOID(co_await call.ml.models->set_version_tag(std::move(one.name), one.number,
                                                       std::move(key), std::move(value)));
  co_return answer();
}

Answer delete_tag(Call call) {
  CO_TRY(Named one, named(call.args));
  CO_TRY(std::string key, call.args.text("key"));
  CO_TRY_VOID(
      co_await call.ml.models->delete_version_tag(std::move(one.name), one.number, std::move(key)));
  co_return answer();
}

Answer search(Call call) {
  CO_TRY(Search search, search_of(call.args, 10'000, 200'000));
  CO_TRY(const auto page, co_await call.ml.models->search_versions(std::move(search)));
  co_return answer(page_json<ModelVersion>("model_versions", page, describe));
}

Answer download_uri(Call call) {
  CO_TRY(Named one, named(call.args));
  CO_TRY(const ModelVersion found,
         co_await call.ml.models->version(std::move(one.name), one.number));
  co_return answer(
      {{"artifact_uri", found.root.empty() ? found.source : artifact_uri(found.root)}});
}

}  // namespace

json::object describe(const ModelVersion& version) {
  json::object out;
  out["name"] = version.model;
  out["version"] = std::to_string(version.number);
  out["creation_timestamp"] = version.created_ms;
  out["last_updated_timestamp"] = version.updated_ms;
  out["current_stage"] = version.stage;
  out["description"] = version.description;
  out["source"] = version.source;
  out["run_id"] = version.run;
  out["status"] = to_string(version.status);
  out["run_link"] = version.run_link;
  if (!version.user.empty()) out["user_id"] = version.user;
  if (!version.status_message.empty()) out["status_message"] = version.status_message;
  if (!version.logged_model.empty()) out["model_id"] = version.logged_model;
  if (!version.tags.empty()) out["tags"] = pairs_json(version.tags);
  json::array aliases;
  for (const std::string& alias : version.aliases) aliases.emplace_back(alias);
  if (!aliases.empty()) out["aliases"] = std::move(aliases);
  return out;
}

void add_versions(Routes& routes) {
  const auto at = [](const char* verb) { return std::string("/mlflow/model-versions/") + verb; };
  routes.add("POST", at("create"), Need::write, create);
  routes.add("GET", at("get"), Need::read, get);
  routes.add("PATCH", at("update"), Need::write, update);
  routes.add("POST", at("transition-stage"), Need::write, transition);
  routes.add("DELETE", at("delete"), Need::write, remove);
  routes.add("POST", at("set-tag"), Need::write, set_tag);
  routes.add("DELETE", at("delete-tag"), Need::write, delete_tag);
  routes.add("GET", at("search"), Need::read, search);
  routes.add("GET", at("get-download-uri"), Need::read, download_uri);
}

}  // namespace holdfast::ml
