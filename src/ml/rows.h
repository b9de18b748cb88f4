// The tables' rows as plain types, inside a transaction. For ml/*.cc alone.
#pragma once

#include <cmath>
#include <deque>

#include "ml/filter.h"
#include "ml/logged_models.h"
#include "ml/models.h"
#include "ml/types.h"
#include "store/database/database.h"

namespace holdfast::ml {

std::string pairs_to_json(const Pairs& pairs);
Pairs pairs_from_json(std::string_view text);

// Tags and parameters are tables (owner, key, value); `table` is a literal.
Result<Pairs> pairs_of(store::Tx& tx, std::string_view table, int64_t owner);
Result<void> put_pair(store::Tx& tx, std::string_view table, int64_t owner, std::string_view key,
                      std::string_view value);
// not_found where there was none.
Result<void> drop_pair(store::Tx& tx, std::string_view table, int64_t owner, std::string_view key,
                       std::string_view whose);

// NaN is stored beside a value of 0, and infinity as the largest number, so that SQL can order
// them.
struct StoredNumber {
  explicit StoredNumber(double number);
  double value;
  int64_t nan;
};
inline double number_of(const store::Row& row, int value, int nan) {
  return row.integer(nan) != 0 ? std::nan("") : row.number(value);
}

struct RunRow {
  int64_t seq = 0;
  Run run;  // its own columns alone
};
Result<RunRow> find_run(store::Tx& tx, const std::string& id);    // not_found
Result<RunRow> active_run(store::Tx& tx, const std::string& id);  // or invalid_argument: deleted
// All that belongs to it.
Result<void> fill_run(store::Tx& tx, RunRow& row);
Result<Experiment> find_experiment(store::Tx& tx, int64_t id);
Result<Experiment> active_experiment(store::Tx& tx, int64_t id);

struct LoggedRow {
  int64_t seq = 0;
  LoggedModel model;
};
Result<LoggedRow> find_logged(store::Tx& tx, const std::string& id);
Result<void> fill_logged(store::Tx& tx, LoggedRow& row);
// Keeps the latest; not_found where the model is not there.
Result<void> log_model_metric(store::Tx& tx, const Metric& metric, const std::string& run);

struct ModelRow {
  int64_t id = 0;
  RegisteredModel model;
};
Result<ModelRow> find_model(store::Tx& tx, const std::string& name);
Result<void> fill_model(store::Tx& tx, ModelRow& row);
Result<ModelVersion> find_version(store::Tx& tx, const std::string& name, int64_t number);
// `condition` follows FROM model_version v JOIN model m; whole versions.
Result<std::vector<ModelVersion>> versions_where(store::Tx& tx, std::string_view condition,
                                                 std::span<const store::Value> values);

// A statement that grows, with its values; the texts must live as long as it.
struct Sql {
  std::string text;
  std::vector<store::Value> values;
  std::deque<std::string> kept;

  Sql& add(std::string_view more) {
    text += more;
    return *this;
  }
  Sql& value(store::Value bound) {
    text += '?';
    values.push_back(bound);
    return *this;
  }
  Sql& keep(std::string owned) {
    kept.push_back(std::move(owned));
    return value(std::string_view(kept.back()));
  }
};

// Where the things of a list keep what clauses name.
struct Tables {
  std::string_view owner;  // column with their number: "r.seq"
  std::string_view tags, params, metrics;
  std::string_view latest_metrics;  // one row a key, to order by
  // As the stock registry has it: "is no prompt" holds where the tag is not there.
  bool prompts = false;
};
// " AND …" for each clause.
void add_filter(Sql& sql, const std::vector<Clause>& clauses, const Tables& tables);
// " LEFT JOIN … " for what is ordered by; before WHERE. Then "ORDER BY …, ", to be ended by the
// caller.
void add_order_joins(Sql& sql, const std::vector<Order>& orders, const Tables& tables);
void add_order(Sql& sql, const std::vector<Order>& orders);

}  // namespace holdfast::ml
