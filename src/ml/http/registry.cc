// Registered models.
#include "ml/http/registry.h"

#include <algorithm>

namespace holdfast::ml {
namespace {

json::object describe(const RegisteredModel& model) {
  json::object out;
  out["name"] = model.name;
  out["creation_timestamp"] = model.created_ms;
  out["last_updated_timestamp"] = model.updated_ms;
  if (!model.description.empty()) out["description"] = model.description;
  json::array latest, aliases;
  for (const ModelVersion& version : model.latest) latest.push_back(describe(version));
  for (const auto& [alias, number] : model.aliases)
    aliases.push_back({{"alias", alias}, {"version", std::to_string(number)}});
  if (!latest.empty()) out["latest_versions"] = std::move(latest);
  if (!model.tags.empty()) out["tags"] = pairs_json(model.tags);
  if (!aliases.empty()) out["aliases"] = std::move(aliases);
  return out;
}

Answer create(Call call) {
  CO_TRY(std::string name, call.args.text("name"));
  CO_TRY(std::string description, call.args.text_or("description"));
  CO_TRY(Pairs tags, call.args.pairs("tags"));
  CO_TRY(const RegisteredModel made,
         co_await call.ml.models->create(std::move(name), std::move(description), std::move(tags)));
  co_return answer({{"registered_model", describe(made)}});
}

Answer get(Call call) {
  CO_TRY(std::string name, call.args.text("name"));
  CO_TRY(const RegisteredModel found, co_await call.ml.models->model(std::move(name)));
  co_return answer({{"registered_model", describe(found)}});
}

Answer rename(Call call) {
  CO_TRY(std::string name, call.args.text("name"));
  CO_TRY(std::string to, call.args.text("new_name"));
  CO_TRY(const RegisteredModel found,
         co_await call.ml.models->rename(std::move(name), std::move(to)));
  co_return answer({{"registered_model", describe(found)}});
}

Answer update(Call call) {
  CO_TRY(std::string name, call.args.text("name"));
  CO_TRY(std::string description, call.args.text_or("description"));
  CO_TRY(const RegisteredModel found,
         co_await call.ml.models->describe(std::move(name), std::move(description)));
  co_return answer({{"registered_model", describe(found)}});
}

Answer remove(Call call) {
  CO_TRY(std::string name, call.args.text("name"));
  CO_TRY_VOID(co_await call.ml.models->remove(std::move(name)));
  co_return answer();
}

Answer search(Call call) {
  CO_TRY(Search search, search_of(call.args, 100, 1000));
  CO_TRY(const auto page, co_await call.ml.models->search(std::move(search)));
  co_return answer(page_json<RegisteredModel>("registered_models", page, describe));
}

// The newest of each stage, or of those that are named.
Answer latest(Call call) {
  CO_TRY(std::string name, call.args.text("name"));
  CO_TRY(const auto stages, call.args.texts("stages"));
  CO_TRY(const RegisteredModel found, co_await call.ml.models->model(std::move(name)));
  json::object out;
  json::array rows;
  for (const ModelVersion& version : found.latest) {
    if (stages.empty() || std::ranges::find(stages, version.stage) != stages.end())
      rows.push_back(describe(version));
  }
  if (!rows.empty()) out["model_versions"] = std::move(rows);
  co_return answer(std::move(out));
}

Answer set_tag(Call call) {
  CO_TRY(std::string name, call.args.text("name"));
  CO_TRY(std::string key, call.args.text("key"));
  CO_TRY(std::string value, call.args.text_or("value"));
  CO_TRY_VOID(co_await call.ml.models->set_tag(std::move(name), std::move(key), std::move(value)));
  co_return answer();
}

Answer delete_tag(Call call) {
  CO_TRY(std::string name, call.args.text("name"));
  CO_TRY(std::string key, call.args.text("key"));
  CO_TRY_VOID(co_await call.ml.models->delete_tag(std::move(name), std::move(key)));
  co_return answer();
}

Answer set_alias(Call call) {
  CO_TRY(std::string name, call.args.text("name"));
  CO_TRY(std::string alias, call.args.text("alias"));
  CO_TRY(const int64_t number, call.args.integer("version"));
  CO_TRY_VOID(co_await call.ml.models->set_alias(std::move(name), std::move(alias), number));
  co_return answer();
}

Answer delete_alias(Call call) {
  CO_TRY(std::string name, call.args.text("name"));
  CO_TRY(std::string alias, call.args.text("alias"));
  CO_TRY_VOID(co_await call.ml.models->delete_alias(std::move(name), std::move(alias)));
  co_return answer();
}

Answer by_alias(Call call) {
  CO_TRY(std::string name, call.args.text("name"));
  CO_TRY(std::string alias, call.args.text("alias"));
  CO_TRY(const ModelVersion found,
         co_await call.ml.models->version_by_alias(std::move(name), std::move(alias)));
  co_return answer({{"model_version", describe(found)}});
}

}  // namespace

void add_registry(Routes& routes) {
  const auto at = [](const char* verb) { return std::string("/mlflow/registered-models/") + verb; };
  routes.add("POST", at("create"), Need::write, create);
  routes.add("GET", at("get"), Need::read, get);
  routes.add("POST", at("rename"), Need::write, rename);
  routes.add("PATCH", at("update"), Need::write, update);
  routes.add("DELETE", at("delete"), Need::write, remove);
  routes.add("GET", at("search"), Need::read, search);
  routes.add("POST", at("get-latest-versions"), Need::read, latest);
  routes.add("GET", at("get-latest-versions"), Need::read, latest);
  routes.add("POST", at("set-tag"), Need::write, set_tag);
  routes.add("DELETE", at("delete-tag"), Need::write, delete_tag);
  routes.add("POST", at("alias"), Need::write, set_alias);
  routes.add("DELETE", at("alias"), Need::write, delete_alias);
  routes.add("GET", at("alias"), Need::read, by_alias);
  add_versions(routes);
}

}  // namespace holdfast::ml
