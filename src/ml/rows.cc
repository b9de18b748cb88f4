#include "ml/rows.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <limits>

namespace holdfast::ml {

namespace json = boost::json;
using store::Row;
using store::Tx;

std::string pairs_to_json(const Pairs& pairs) {
  json::array out;
  for (const auto& [key, value] : pairs) out.push_back(json::array{key, value});
  return json::serialize(out);
}

Pairs pairs_from_json(std::string_view text) {
  Pairs out;
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_array()) return out;
  for (const json::value& item : value.as_array()) {
    if (!item.is_array() || item.as_array().size() != 2) continue;
    const json::array& pair = item.as_array();
    if (pair[0].is_string() && pair[1].is_string())
      out.emplace_back(pair[0].as_string(), pair[1].as_string());
  }
  return out;
}

Result<Pairs> pairs_of(Tx& tx, std::string_view table, int64_t owner) {
  Pairs out;
  const std::string sql =
      "SELECT key, value FROM " + std::string(table) + " WHERE owner = ? ORDER BY key";
  TRY_VOID(tx.each(sql, {owner}, [&](const Row& row) {
    out.emplace_back(row.text(0), row.text(1));
    return true;
  }));
  return out;
}

Result<void> put_pair(Tx& tx, std::string_view table, int64_t owner, std::string_view key,
                      std::string_view value) {
  const std::string sql = "INSERT INTO " + std::string(table) +
                          " VALUES(?, ?, ?) ON CONFLICT(owner, key) DO UPDATE SET value = "
                          "excluded.value";
  TRY_VOID(tx.run(sql, {owner, key, value}));
  return {};
}

Result<void> drop_pair(Tx& tx, std::string_view table, int64_t owner, std::string_view key,
                       std::string_view whose) {
  const std::string sql = "DELETE FROM " + std::string(table) + " WHERE owner = ? AND key = ?";
  TRY(const int64_t gone, tx.run(sql, {owner, key}));
  if (gone == 0)
    return fail(Code::not_found,
                "No tag with name: " + std::string(key) + " in " + std::string(whose));
  return {};
}

StoredNumber::StoredNumber(double number) : value(number), nan(std::isnan(number) ? 1 : 0) {
  constexpr double kMost = std::numeric_limits<double>::max();
  if (nan != 0) value = 0;
  if (std::isinf(number)) value = number > 0 ? kMost : -kMost;
}

Result<RunRow> find_run(Tx& tx, const std::string& id) {
  std::optional<RunRow> found;
  TRY_VOID(
      tx.each("SELECT seq, id, experiment, name, user, status, started, ended, deleted FROM run "
              "WHERE id = ?",
              {std::string_view(id)}, [&](const Row& row) {
                found.emplace();
                found->seq = row.integer(0);
                Run& run = found->run;
                run.id = std::string(row.text(1));
                run.experiment = row.integer(2);
                run.name = std::string(row.text(3));
                run.user = std::string(row.text(4));
                run.status = static_cast<RunStatus>(row.integer(5));
                run.started_ms = row.integer(6);
                run.ended_ms = row.integer(7);
                run.deleted = row.integer(8) != 0;
                return false;
              }));
  if (!found) return fail(Code::not_found, "Run with id=" + id + " not found");
  return std::move(*found);
}

Result<RunRow> active_run(Tx& tx, const std::string& id) {
  TRY(RunRow row, find_run(tx, id));
  if (row.run.deleted)
    return fail(Code::invalid_argument,
                "The run " + id + " must be in the 'active' state. Current state is deleted.");
  return row;
}

Result<void> fill_run(Tx& tx, RunRow& row) {
  Run& run = row.run;
  TRY(run.tags, pairs_of(tx, "run_tag", row.seq));
  TRY(run.params, pairs_of(tx, "run_param", row.seq));
  TRY_VOID(tx.each("SELECT key, value, nan, time, step FROM run_metric WHERE owner = ?", {row.seq},
                   [&](const Row& at) {
                     Metric& metric = run.metrics.emplace_back();
                     metric.key = std::string(at.text(0));
                     metric.value = number_of(at, 1, 2);
                     metric.time_ms = at.integer(3);
                     metric.step = at.integer(4);
                     return true;
                   }));
  TRY_VOID(tx.each(
      "SELECT d.name, d.digest, d.source_type, d.source, d.schema, d.profile, x.tags FROM "
      "run_dataset x JOIN dataset d ON d.id = x.dataset WHERE x.owner = ?",
      {row.seq}, [&](const Row& at) {
        DatasetInput& input = run.datasets.emplace_back();
        input.dataset = {std::string(at.text(0)), std::string(at.text(1)), std::string(at.text(2)),
                         std::string(at.text(3)), std::string(at.text(4)), std::string(at.text(5))};
        input.tags = pairs_from_json(at.text(6));
        return true;
      }));
  return tx.each("SELECT output, model, step FROM run_model WHERE owner = ?", {row.seq},
                 [&](const Row& at) {
                   if (at.integer(0) == 0) {
                     run.model_inputs.emplace_back(at.text(1));
                   } else {
                     run.model_outputs.push_back({std::string(at.text(1)), at.integer(2)});
                   }
                   return true;
                 });
}

Result<Experiment> find_experiment(Tx& tx, int64_t id) {
  std::optional<Experiment> found;
  TRY_VOID(tx.each("SELECT name, deleted, created, updated FROM experiment WHERE id = ?", {id},
                   [&](const Row& row) {
                     found.emplace();
                     found->id = id;
                     found->name = std::string(row.text(0));
                     found->deleted = row.integer(1) != 0;
                     found->created_ms = row.integer(2);
                     found->updated_ms = row.integer(3);
                     return false;
                   }));
  if (!found)
    return fail(Code::not_found, "No Experiment with id=" + std::to_string(id) + " exists");
  TRY(found->tags, pairs_of(tx, "experiment_tag", id));
  return std::move(*found);
}

Result<Experiment> active_experiment(Tx& tx, int64_t id) {
  TRY(Experiment found, find_experiment(tx, id));
  if (found.deleted)
    return fail(Code::invalid_argument, "The experiment " + std::to_string(id) +
                                            " must be in the 'active' state. Current state is "
                                            "deleted.");
  return found;
}

}  // namespace holdfast::ml
