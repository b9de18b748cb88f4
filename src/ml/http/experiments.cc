// Experiments.
#include "ml/http/wire.h"

namespace holdfast::ml {
namespace {

json::object describe(const Experiment& experiment) {
  json::object out;
  out["experiment_id"] = std::to_string(experiment.id);
  out["name"] = experiment.name;
  out["artifact_location"] = artifact_uri(std::to_string(experiment.id));
  out["lifecycle_stage"] = experiment.deleted ? "deleted" : "active";
  out["last_update_time"] = experiment.updated_ms;
  out["creation_time"] = experiment.created_ms;
  if (!experiment.tags.empty()) out["tags"] = pairs_json(experiment.tags);
  return out;
}

Result<int64_t> id_of(const Args& args) {
  TRY(const std::string text, args.text("experiment_id"));
  return experiment_id(text);
}

Answer create(Call call) {
  CO_TRY(std::string name, call.args.text("name"));
  CO_TRY(const std::string location, call.args.text_or("artifact_location"));
  if (!location.empty())
    co_return fail(Code::invalid_argument,
                   "artifact_location is the server's to choose; leave it out");
  CO_TRY(Pairs tags, call.args.pairs("tags"));
  CO_TRY(const Experiment made,
         co_await call.ml.tracking->create_experiment(std::move(name), std::move(tags)));
  co_return answer({{"experiment_id", std::to_string(made.id)}});
}

Answer search(Call call) {
  CO_TRY(Search search, search_of(call.args, 1000, 50'000));
  CO_TRY(const auto page, co_await call.ml.tracking->search_experiments(std::move(search)));
  co_return answer(page_json<Experiment>("experiments", page, describe));
}

Answer get(Call call) {
  CO_TRY(const int64_t id, id_of(call.args));
  CO_TRY(const Experiment found, co_await call.ml.tracking->experiment(id));
  co_return answer({{"experiment", describe(found)}});
}

Answer get_by_name(Call call) {
  CO_TRY(std::string name, call.args.text("experiment_name"));
  CO_TRY(const Experiment found, co_await call.ml.tracking->experiment_named(std::move(name)));
  co_return answer({{"experiment", describe(found)}});
}

Answer remove(Call call) {
  CO_TRY(const int64_t id, id_of(call.args));
  CO_TRY_VOID(co_await call.ml.tracking->set_experiment_deleted(id, true));
  co_return answer();
}

Answer restore(Call call) {
  CO_TRY(const int64_t id, id_of(call.args));
  CO_TRY_VOID(co_await call.ml.tracking->set_experiment_deleted(id, false));
  co_return answer();
}

Answer update(Call call) {
  CO_TRY(const int64_t id, id_of(call.args));
  CO_TRY(std::string name, call.args.text("new_name"));
  CO_TRY_VOID(co_await call.ml.tracking->rename_experiment(id, std::move(name)));
  co_return answer();
}

Answer set_tag(Call call) {
  CO_TRY(const int64_t id, id_of(call.args));
  CO_TRY(std::string key, call.args.text("key"));
  CO_TRY(std::string value, call.args.text_or("value"));
  CO_TRY_VOID(co_await call.ml.tracking->set_experiment_tag(id, std::move(key), std::move(value)));
  co_return answer();
}

Answer delete_tag(Call call) {
  CO_TRY(const int64_t id, id_of(call.args));
  CO_TRY(std::string key, call.args.text("key"));
  CO_TRY_VOID(co_await call.ml.tracking->delete_experiment_tag(id, std::move(key)));
  co_return answer();
}

}  // namespace

void add_experiments(Routes& routes) {
  routes.add("POST", "/mlflow/experiments/create", Need::write, create);
  routes.add("POST", "/mlflow/experiments/search", Need::read, search);
  routes.add("GET", "/mlflow/experiments/search", Need::read, search);
  routes.add("GET", "/mlflow/experiments/get", Need::read, get);
  routes.add("GET", "/mlflow/experiments/get-by-name", Need::read, get_by_name);
  routes.add("POST", "/mlflow/experiments/delete", Need::write, remove);
  routes.add("POST", "/mlflow/experiments/restore", Need::write, restore);
  routes.add("POST", "/mlflow/experiments/update", Need::write, update);
  routes.add("POST", "/mlflow/experiments/set-experiment-tag", Need::write, set_tag);
  routes.add("POST", "/mlflow/experiments/delete-experiment-tag", Need::write, delete_tag);
}

}  // namespace holdfast::ml
