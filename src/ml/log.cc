#include <algorithm>
#include <map>
#include <tuple>

#include "ml/limits.h"
#include "ml/rows.h"
#include "ml/tracking.h"

namespace holdfast::ml {
namespace {

using store::Row;
using store::Tx;

constexpr std::string_view kNameTag = "mlflow.runName";

// The order by which a point is the latest.
auto rank(const Metric& metric) {
  const StoredNumber number(metric.value);
  return std::tuple(metric.step, metric.time_ms, number.value);
}

Result<int64_t> metric_id(Tx& tx, int64_t run, const Metric& metric) {
  int64_t id = 0;
  TRY_VOID(tx.each("SELECT id FROM run_metric WHERE owner = ? AND key = ?",
                   {run, std::string_view(metric.key)}, [&](const Row& row) {
                     id = row.integer(0);
                     return false;
                   }));
  if (id != 0) return id;
  const StoredNumber number(metric.value);
  TRY_VOID(tx.run(
      "INSERT INTO run_metric(owner, key, value, nan, step, time) VALUES(?, ?, ?, ?, ?, ?)",
      {run, std::string_view(metric.key), number.value, number.nan, metric.step, metric.time_ms}));
  return tx.last_insert_id();
}

Result<void> log_metrics(Tx& tx, const RunRow& run, const std::vector<Metric>& metrics) {
  struct Latest {
    int64_t id = 0;
    const Metric* metric = nullptr;
  };
  std::map<std::string_view, Latest> latest;
  for (const Metric& metric : metrics) {
    Latest& of = latest[metric.key];
    if (of.id == 0) {
      TRY(of.id, metric_id(tx, run.seq, metric));
    }
    if (of.metric == nullptr || rank(*of.metric) < rank(metric)) of.metric = &metric;
    const StoredNumber number(metric.value);
    TRY_VOID(tx.run("INSERT OR IGNORE INTO metric_point VALUES(?, ?, ?, ?, ?)",
                    {of.id, metric.step, metric.time_ms, number.value, number.nan}));
    if (!metric.model.empty()) TRY_VOID(log_model_metric(tx, metric, run.run.id));
  }
  for (const auto& [key, of] : latest) {
    const StoredNumber number(of.metric->value);
    TRY_VOID(
        tx.run("UPDATE run_metric SET value = ?1, nan = ?2, step = ?3, time = ?4 WHERE id = ?5 AND "
               "(?3, ?4, ?1) > (step, time, value)",
               {number.value, number.nan, of.metric->step, of.metric->time_ms, of.id}));
  }
  return {};
}

Result<void> log_params(Tx& tx, const RunRow& run, const Pairs& params) {
  for (const auto& [key, value] : params) {
    TRY(const int64_t made, tx.run("INSERT OR IGNORE INTO run_param VALUES(?, ?, ?)",
                                   {run.seq, std::string_view(key), std::string_view(value)}));
    if (made == 1) continue;
    std::string there;
    TRY_VOID(tx.each("SELECT value FROM run_param WHERE owner = ? AND key = ?",
                     {run.seq, std::string_view(key)}, [&](const Row& row) {
                       there = std::string(row.text(0));
                       return false;
                     }));
    if (there != value)
      return fail(Code::invalid_argument, "Changing param values is not allowed. Param with key='" +
                                              key + "' was already logged with value='" + there +
                                              "' for run ID='" + run.run.id +
                                              "'. Attempted logging new value '" + value + "'.");
  }
  return {};
}

Result<void> log_tags(Tx& tx, const RunRow& run, const Pairs& tags) {
  for (const auto& [key, value] : tags) {
    TRY_VOID(put_pair(tx, "run_tag", run.seq, key, value));
    if (key == kNameTag)
      TRY_VOID(tx.run("UPDATE run SET name = ? WHERE seq = ?", {std::string_view(value), run.seq}));
  }
  return {};
}

Metric point_of(const Row& row, const std::string& key) {
  Metric out;
  out.key = key;
  out.step = row.integer(0);
  out.time_ms = row.integer(1);
  out.value = number_of(row, 2, 3);
  return out;
}

Result<void> check_dataset(const DatasetInput& input) {
  const Dataset& dataset = input.dataset;
  if (dataset.name.empty() || dataset.digest.empty())
    return fail(Code::invalid_argument, "a dataset needs a name and a digest");
  TRY_VOID(check_value("dataset name", dataset.name, 500));
  TRY_VOID(check_value("dataset digest", dataset.digest, 36));
  TRY_VOID(check_value("dataset source", dataset.source, 65'535));
  TRY_VOID(check_value("dataset schema", dataset.schema, 1'048'575));
  TRY_VOID(check_value("dataset profile", dataset.profile, 16'777'215));
  for (const auto& [key, value] : input.tags) {
    TRY_VOID(check_value("input tag key", key, 255));
    TRY_VOID(check_value("input tag", value, 500));
  }
  return {};
}

}  // namespace

Task<Result<void>> Tracking::log(std::string id, Batch batch) {
  CO_TRY_VOID(check_batch(batch));
  auto kept = std::make_shared<const Batch>(std::move(batch));
  auto work = [id, kept](Tx& tx) -> Result<void> {
    TRY(const RunRow run, active_run(tx, id));
    TRY_VOID(log_params(tx, run, kept->params));
    TRY_VOID(log_tags(tx, run, kept->tags));
    return log_metrics(tx, run, kept->metrics);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Tracking::log_inputs(std::string id, std::vector<DatasetInput> datasets,
                                        std::vector<std::string> models) {
  for (const DatasetInput& input : datasets) CO_TRY_VOID(check_dataset(input));
  auto kept = std::make_shared<const std::vector<DatasetInput>>(std::move(datasets));
  auto work = [id, kept, models](Tx& tx) -> Result<void> {
    TRY(const RunRow run, active_run(tx, id));
    for (const DatasetInput& input : *kept) {
      const Dataset& set = input.dataset;
      TRY_VOID(
          tx.run("INSERT INTO dataset(experiment, name, digest, source_type, source, schema, "
                 "profile) VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                 {run.run.experiment, std::string_view(set.name), std::string_view(set.digest),
                  std::string_view(set.source_type), std::string_view(set.source),
                  std::string_view(set.schema), std::string_view(set.profile)}));
      std::string context;
      for (const auto& [key, value] : input.tags) {
        if (key == "mlflow.data.context") context = value;
      }
      const std::string tags = pairs_to_json(input.tags);
      TRY_VOID(
          tx.run("INSERT INTO run_dataset SELECT ?, id, ?, ? FROM dataset WHERE experiment = ? "
                 "AND name = ? AND digest = ? ON CONFLICT DO NOTHING",
                 {run.seq, std::string_view(context), std::string_view(tags), run.run.experiment,
                  std::string_view(set.name), std::string_view(set.digest)}));
    }
    for (const std::string& model : models)
      TRY_VOID(tx.run("INSERT OR IGNORE INTO run_model VALUES(?, 0, ?, 0)",
                      {run.seq, std::string_view(model)}));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Tracking::log_outputs(std::string id, std::vector<ModelOutput> models) {
  auto work = [id, models](Tx& tx) -> Result<void> {
    TRY(const RunRow run, active_run(tx, id));
    for (const ModelOutput& output : models)
      TRY_VOID(tx.run("INSERT OR IGNORE INTO run_model VALUES(?, 1, ?, ?)",
                      {run.seq, std::string_view(output.model), output.step}));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<PageOf<Metric>>> Tracking::history(std::string id, std::string key, size_t limit,
                                               std::string page_token) {
  CO_TRY(const int64_t offset, offset_of(page_token));
  auto work = [id, key, limit, offset](Tx& tx) -> Result<PageOf<Metric>> {
    TRY(const RunRow run, find_run(tx, id));
    PageOf<Metric> page;
    TRY_VOID(
        tx.each("SELECT p.step, p.time, p.value, p.nan FROM run_metric m JOIN metric_point p ON "
                "p.metric = m.id WHERE m.owner = ? AND m.key = ? ORDER BY p.step, p.time, p.value, "
                "p.nan LIMIT ? OFFSET ?",
                {run.seq, std::string_view(key), static_cast<int64_t>(limit) + 1, offset},
                [&](const Row& row) {
                  page.items.push_back(point_of(row, key));
                  return true;
                }));
    if (page.items.size() > limit) {
      page.items.pop_back();
      page.next = ml::page_token(offset + static_cast<int64_t>(limit));
    }
    return page;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<std::vector<Metric>>> Tracking::sampled(std::string id, std::string key, int64_t first,
                                                    int64_t last, size_t points) {
  auto work = [id, key, first, last, points](Tx& tx) -> Result<std::vector<Metric>> {
    TRY(const RunRow run, find_run(tx, id));
    std::vector<int64_t> steps;
    TRY_VOID(
        tx.each("SELECT DISTINCT p.step FROM run_metric m JOIN metric_point p ON p.metric = "
                "m.id WHERE m.owner = ? AND m.key = ? AND p.step BETWEEN ? AND ? ORDER BY "
                "p.step",
                {run.seq, std::string_view(key), first, last}, [&](const Row& row) {
                  steps.push_back(row.integer(0));
                  return true;
                }));
    std::vector<Metric> out;
    const size_t count = std::min(points, steps.size());
    for (size_t i = 0; i < count; ++i) {
      const size_t at = count < 2 ? steps.size() - 1 : i * (steps.size() - 1) / (count - 1);
      TRY_VOID(
          tx.each("SELECT p.step, p.time, p.value, p.nan FROM run_metric m JOIN metric_point p "
                  "ON p.metric = m.id WHERE m.owner = ? AND m.key = ? AND p.step = ? ORDER BY "
                  "p.time DESC, p.value DESC LIMIT 1",
                  {run.seq, std::string_view(key), steps[at]}, [&](const Row& row) {
                    out.push_back(point_of(row, key));
                    return false;
                  }));
    }
    return out;
  };
  co_return co_await database_.read(std::move(work));
}

}  // namespace holdfast::ml
