// Runs: made, logged to, read, searched.
#include "ml/http/runs.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace holdfast::ml {
namespace {

constexpr std::string_view kModelHistory = "mlflow.log-model.history";
constexpr uint64_t kInputs = 20 << 20;  // a dataset's profile alone may be 16 MiB

// Clients send both names.
Result<std::string> run_of(const Args& args) {
  TRY(std::string id, args.text_or("run_id"));
  if (id.empty()) return args.text(args.has("run_uuid") ? "run_uuid" : "run_id");
  return id;
}

// The run that is to be written, where the caller may.
Result<std::string> own_run_of(const Call& call) {
  TRY(std::string id, run_of(call.args));
  TRY_VOID(may_write_run(call.caller, id));
  return id;
}

Answer create(Call call) {
  CO_TRY(const std::string experiment, call.args.text_or("experiment_id", "0"));
  NewRun run;
  CO_TRY(run.experiment, experiment_id(experiment));
  CO_TRY(run.name, call.args.text_or("run_name"));
  CO_TRY(run.user, call.args.text_or("user_id"));
  CO_TRY(run.started_ms, call.args.integer_or("start_time", 0));
  CO_TRY(run.tags, call.args.pairs("tags"));
  CO_TRY(const Run made, co_await call.ml.tracking->create_run(std::move(run)));
  co_return answer({{"run", describe(made)}});
}

Answer update(Call call) {
  CO_TRY(std::string id, own_run_of(call));
  RunChange change;
  CO_TRY(const std::string status, call.args.text_or("status"));
  if (!status.empty()) {
    CO_TRY(change.status, run_status_of(status));
  }
  if (call.args.has("end_time")) {
    CO_TRY(change.ended_ms, call.args.integer_or("end_time", 0));
  }
  CO_TRY(const std::string name, call.args.text_or("run_name"));
  if (!name.empty()) change.name = name;
  CO_TRY(const Run run, co_await call.ml.tracking->update_run(std::move(id), std::move(change)));
  json::object described = describe(run);
  co_return answer({{"run_info", described["info"]}});
}

Answer get(Call call) {
  CO_TRY(std::string id, run_of(call.args));
  CO_TRY(const Run run, co_await call.ml.tracking->run(std::move(id)));
  co_return answer({{"run", describe(run)}});
}

Answer remove(Call call) {
  CO_TRY(std::string id, run_of(call.args));
  CO_TRY_VOID(co_await call.ml.tracking->set_run_deleted(std::move(id), true));
  co_return answer();
}

Answer restore(Call call) {
  CO_TRY(std::string id, run_of(call.args));
  CO_TRY_VOID(co_await call.ml.tracking->set_run_deleted(std::move(id), false));
  co_return answer();
}

Answer log(const Call& call, std::string id, Batch batch) {
  CO_TRY_VOID(co_await call.ml.tracking->log(std::move(id), std::move(batch)));
  co_return answer();
}

Answer log_metric(Call call) {
  CO_TRY(std::string id, own_run_of(call));
  Batch batch;
  CO_TRY(Metric metric, metric_of(call.args));
  batch.metrics.push_back(std::move(metric));
  co_return co_await log(call, std::move(id), std::move(batch));
}

Answer log_param(Call call) {
  CO_TRY(std::string id, own_run_of(call));
  Batch batch;
  CO_TRY(std::string key, call.args.text("key"));
  CO_TRY(std::string value, call.args.text_or("value"));
  batch.params.emplace_back(std::move(key), std::move(value));
  co_return co_await log(call, std::move(id), std::move(batch));
}

Answer set_tag(Call call) {
  CO_TRY(std::string id, own_run_of(call));
  Batch batch;
  CO_TRY(std::string key, call.args.text("key"));
  CO_TRY(std::string value, call.args.text_or("value"));
  batch.tags.emplace_back(std::move(key), std::move(value));
  co_return co_await log(call, std::move(id), std::move(batch));
}

Answer log_batch(Call call) {
  CO_TRY(std::string id, own_run_of(call));
  Batch batch;
  CO_TRY(const auto metrics, call.args.list("metrics"));
  for (const Args& one : metrics) {
    CO_TRY(Metric metric, metric_of(one));
    batch.metrics.push_back(std::move(metric));
  }
  CO_TRY(batch.params, call.args.pairs("params"));
  CO_TRY(batch.tags, call.args.pairs("tags"));
  co_return co_await log(call, std::move(id), std::move(batch));
}

// The old form of logging a model: its description joins a list in a tag, as MLflow keeps it.
Answer log_model(Call call) {
  CO_TRY(std::string id, own_run_of(call));
  CO_TRY(const std::string text, call.args.text("model_json"));
  boost::system::error_code error;
  json::value model = json::parse(text, error);
  if (error || !model.is_object())
    co_return fail(Code::invalid_argument, "model_json is no JSON object");
  CO_TRY(const Run run, co_await call.ml.tracking->run(id));
  json::array history;
  for (const auto& [key, value] : run.tags) {
    if (key != kModelHistory) continue;
    json::value there = json::parse(value, error);
    if (!error && there.is_array()) history = std::move(there.get_array());
  }
  history.push_back(std::move(model));
  Batch batch;
  batch.tags.emplace_back(kModelHistory, json::serialize(history));
  co_return co_await log(call, std::move(id), std::move(batch));
}

Answer delete_tag(Call call) {
  CO_TRY(std::string id, own_run_of(call));
  CO_TRY(std::string key, call.args.text("key"));
  CO_TRY_VOID(co_await call.ml.tracking->delete_tag(std::move(id), std::move(key)));
  co_return answer();
}

Answer log_inputs(Call call) {
  CO_TRY(std::string id, own_run_of(call));
  std::vector<DatasetInput> datasets;
  std::vector<std::string> models;
  CO_TRY(const auto inputs, call.args.list("datasets"));
  for (const Args& one : inputs) {
    DatasetInput input;
    CO_TRY(input.tags, one.pairs("tags"));
    CO_TRY(const Args dataset, one.object("dataset"));
    for (auto [name, into] : {std::pair("name", &input.dataset.name),
                              {"digest", &input.dataset.digest},
                              {"source_type", &input.dataset.source_type},
                              {"source", &input.dataset.source}}) {
      CO_TRY(*into, dataset.text(name));
    }
    CO_TRY(input.dataset.schema, dataset.text_or("schema"));
    CO_TRY(input.dataset.profile, dataset.text_or("profile"));
    datasets.push_back(std::move(input));
  }
  CO_TRY(const auto used, call.args.list("models"));
  for (const Args& one : used) {
    CO_TRY(std::string model, one.text("model_id"));
    models.push_back(std::move(model));
  }
  CO_TRY_VOID(
      co_await call.ml.tracking->log_inputs(std::move(id), std::move(datasets), std::move(models)));
  co_return answer();
}

Answer log_outputs(Call call) {
  CO_TRY(std::string id, own_run_of(call));
  std::vector<ModelOutput> models;
  CO_TRY(const auto made, call.args.list("models"));
  for (const Args& one : made) {
    ModelOutput model;
    CO_TRY(model.model, one.text("model_id"));
    CO_TRY(model.step, one.integer_or("step", 0));
    models.push_back(std::move(model));
  }
  CO_TRY_VOID(co_await call.ml.tracking->log_outputs(std::move(id), std::move(models)));
  co_return answer();
}

Answer search(Call call) {
  CO_TRY(Search search, search_of(call.args, 1000, 50'000));
  CO_TRY(const auto texts, call.args.texts("experiment_ids"));
  std::vector<int64_t> experiments;
  for (const std::string& text : texts) {
    if (const auto id = experiment_id(text)) experiments.push_back(*id);  // others have no runs
  }
  CO_TRY(const auto page,
         co_await call.ml.tracking->search_runs(std::move(experiments), std::move(search)));
  co_return answer(page_json<Run>("runs", page, describe));
}

Answer history(Call call) {
  CO_TRY(std::string id, run_of(call.args));
  CO_TRY(std::string key, call.args.text("metric_key"));
  CO_TRY(std::string token, call.args.text_or("page_token"));
  CO_TRY(const int64_t limit, call.args.integer_or("max_results", 25'000));
  if (limit < 1) co_return fail(Code::invalid_argument, "max_results must be at least 1");
  const size_t most = static_cast<size_t>(std::min<int64_t>(limit, 25'000));
  CO_TRY(const auto page,
         co_await call.ml.tracking->history(std::move(id), std::move(key), most, std::move(token)));
  co_return answer(page_json<Metric>("metrics", page, describe));
}

// Points of several runs for a chart, spread evenly over the steps.
Answer interval(Call call) {
  CO_TRY(const auto runs, call.args.texts("run_ids"));
  CO_TRY(const std::string key, call.args.text("metric_key"));
  CO_TRY(const int64_t first, call.args.integer_or("start_step", INT64_MIN));
  CO_TRY(const int64_t last, call.args.integer_or("end_step", INT64_MAX));
  CO_TRY(const int64_t points, call.args.integer_or("max_results", 320));
  if (runs.empty() || runs.size() > 100 || points < 1 || points > 2500 || first > last)
    co_return fail(Code::invalid_argument,
                   "GetMetricHistoryBulkInterval takes 1 to 100 run_ids, 1 to 2500 max_results and "
                   "start_step not after end_step");
  json::array rows;
  for (const std::string& run : runs) {
    CO_TRY(const auto found,
           co_await call.ml.tracking->sampled(run, key, first, last, static_cast<size_t>(points)));
    for (const Metric& metric : found) {
      json::object row = describe(metric);
      row["run_id"] = run;
      rows.push_back(std::move(row));
    }
  }
  json::object out;
  if (!rows.empty()) out["metrics"] = std::move(rows);
  co_return answer(std::move(out));
}

}  // namespace

void add_runs(Routes& routes) {
  routes.add("POST", "/mlflow/runs/create", Need::write, create);
  routes.add("POST", "/mlflow/runs/update", Need::run, update);
  routes.add("GET", "/mlflow/runs/get", Need::read, get);
  routes.add("POST", "/mlflow/runs/delete", Need::write, remove);
  routes.add("POST", "/mlflow/runs/restore", Need::write, restore);
  routes.add("POST", "/mlflow/runs/log-metric", Need::run, log_metric);
  routes.add("POST", "/mlflow/runs/log-parameter", Need::run, log_param);
  routes.add("POST", "/mlflow/runs/set-tag", Need::run, set_tag);
  routes.add("POST", "/mlflow/runs/delete-tag", Need::run, delete_tag);
  routes.add("POST", "/mlflow/runs/log-batch", Need::run, log_batch);
  routes.add("POST", "/mlflow/runs/log-model", Need::run, log_model);
  routes.add("POST", "/mlflow/runs/log-inputs", Need::run, log_inputs, kInputs);
  routes.add("POST", "/mlflow/runs/outputs", Need::run, log_outputs);
  routes.add("POST", "/mlflow/runs/search", Need::read, search);
  routes.add("GET", "/mlflow/metrics/get-history", Need::read, history);
  routes.add("GET", "/mlflow/metrics/get-history-bulk-interval", Need::read, interval);
}

}  // namespace holdfast::ml
