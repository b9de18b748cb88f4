// Logged models: what a run has made, before or without being registered.
#include "ml/http/runs.h"

namespace holdfast::ml {
namespace {

json::object describe(const LoggedModel& model) {
  json::object info, data, out;
  info["model_id"] = model.id;
  info["experiment_id"] = std::to_string(model.experiment);
  info["name"] = model.name;
  info["creation_timestamp_ms"] = model.created_ms;
  info["last_updated_timestamp_ms"] = model.updated_ms;
  info["artifact_uri"] = artifact_uri(model.artifact_root());
  info["status"] = to_string(model.status);
  if (!model.type.empty()) info["model_type"] = model.type;
  if (!model.run.empty()) info["source_run_id"] = model.run;
  if (!model.tags.empty()) info["tags"] = pairs_json(model.tags);
  if (!model.params.empty()) data["params"] = pairs_json(model.params);
  json::array metrics;
  for (const LoggedModel::Measured& one : model.metrics) {
    json::object metric = describe(one.metric);
    metric["model_id"] = model.id;
    metric["run_id"] = one.run;
    metrics.push_back(std::move(metric));
  }
  if (!metrics.empty()) data["metrics"] = std::move(metrics);
  out["info"] = std::move(info);
  out["data"] = std::move(data);
  return out;
}

std::string id_in_path(const Call& call) {
  return std::string(call.request.param("model_id"));
}

// The model that is to be written, where the caller may.
Task<Result<std::string>> own_model_of(Call call) {
  std::string id = id_in_path(call);
  if (call.caller.writes()) co_return id;
  CO_TRY(const LoggedModel model, co_await call.ml.logged_models->model(id));
  CO_TRY_VOID(may_write_run(call.caller, model.run));
  co_return id;
}

Answer create(Call call) {
  NewLoggedModel model;
  CO_TRY(const std::string experiment, call.args.text("experiment_id"));
  CO_TRY(model.experiment, experiment_id(experiment));
  CO_TRY(model.name, call.args.text_or("name"));
  CO_TRY(model.type, call.args.text_or("model_type"));
  CO_TRY(model.run, call.args.text_or("source_run_id"));
  CO_TRY_VOID(may_write_run(call.caller, model.run));
  CO_TRY(model.tags, call.args.pairs("tags"));
  CO_TRY(model.params, call.args.pairs("params"));
  CO_TRY(const LoggedModel made, co_await call.ml.logged_models->create(std::move(model)));
  co_return answer({{"model", describe(made)}});
}

Answer get(Call call) {
  CO_TRY(const LoggedModel found, co_await call.ml.logged_models->model(id_in_path(call)));
  co_return answer({{"model", describe(found)}});
}

Answer finalize(Call call) {
  CO_TRY(std::string id, co_await own_model_of(call));
  CO_TRY(const std::string text, call.args.text("status"));
  CO_TRY(const LoggedStatus status, logged_status_of(text));
  CO_TRY(const LoggedModel found,
         co_await call.ml.logged_models->set_status(std::move(id), status));
  co_return answer({{"model", describe(found)}});
}

Answer remove(Call call) {
  CO_TRY_VOID(co_await call.ml.logged_models->remove(id_in_path(call)));
  co_return answer();
}

Answer set_tags(Call call) {
  CO_TRY(std::string id, co_await own_model_of(call));
  CO_TRY(Pairs tags, call.args.pairs("tags"));
  CO_TRY(const LoggedModel found,
         co_await call.ml.logged_models->set_tags(std::move(id), std::move(tags)));
  co_return answer({{"model", describe(found)}});
}

Answer delete_tag(Call call) {
  CO_TRY(std::string id, co_await own_model_of(call));
  CO_TRY_VOID(co_await call.ml.logged_models->delete_tag(
      std::move(id), std::string(call.request.param("tag_key"))));
  co_return answer();
}

Answer log_params(Call call) {
  CO_TRY(std::string id, co_await own_model_of(call));
  CO_TRY(Pairs params, call.args.pairs("params"));
  CO_TRY_VOID(co_await call.ml.logged_models->log_params(std::move(id), std::move(params)));
  co_return answer();
}

Result<std::vector<std::string>> orders_of(const Args& args) {
  std::vector<std::string> out;
  TRY(const auto items, args.list("order_by"));
  for (const Args& item : items) {
    TRY(const std::string field, item.text("field_name"));
    TRY(const bool ascending, item.flag_or("ascending", true));
    out.push_back(field + (ascending ? " ASC" : " DESC"));
  }
  return out;
}

Answer search(Call call) {
  Search search;
  CO_TRY(search.filter, call.args.text_or("filter"));
  CO_TRY(search.order_by, orders_of(call.args));
  CO_TRY(search.page_token, call.args.text_or("page_token"));
  CO_TRY(const int64_t limit, call.args.integer_or("max_results", 100));
  if (limit < 1 || limit > 1000)
    co_return fail(Code::invalid_argument, "max_results must be a number from 1 to 1000");
  search.limit = static_cast<size_t>(limit);
  CO_TRY(const auto texts, call.args.texts("experiment_ids"));
  std::vector<int64_t> experiments;
  for (const std::string& text : texts) {
    if (const auto id = experiment_id(text)) experiments.push_back(*id);
  }
  CO_TRY(const auto page,
         co_await call.ml.logged_models->search(std::move(experiments), std::move(search)));
  co_return answer(page_json<LoggedModel>("models", page, describe));
}

}  // namespace

void add_logged_models(Routes& routes) {
  routes.add("POST", "/mlflow/logged-models", Need::run, create);
  routes.add("POST", "/mlflow/logged-models/search", Need::read, search);
  routes.add("GET", "/mlflow/logged-models/{model_id}", Need::read, get);
  routes.add("PATCH", "/mlflow/logged-models/{model_id}", Need::run, finalize);
  routes.add("DELETE", "/mlflow/logged-models/{model_id}", Need::write, remove);
  routes.add("PATCH", "/mlflow/logged-models/{model_id}/tags", Need::run, set_tags);
  routes.add("DELETE", "/mlflow/logged-models/{model_id}/tags/{tag_key}", Need::run, delete_tag);
  routes.add("POST", "/mlflow/logged-models/{model_id}/params", Need::run, log_params);
}

}  // namespace holdfast::ml
