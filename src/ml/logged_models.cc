#include "ml/logged_models.h"

#include "ml/limits.h"
#include "ml/rows.h"

namespace holdfast::ml {
namespace {

using store::Row;
using store::Tx;

constexpr Attribute kAttributes[] = {
    {.name = "name", .column = "l.name", .list = true},
    {.name = "model_id", .column = "l.id", .list = true},
    {.name = "model_type", .column = "l.type", .list = true},
    {.name = "status", .column = "l.status", .kind = Attribute::status, .list = true},
    {.name = "source_run_id", .column = "l.run", .list = true},
    {.name = "experiment_id", .column = "CAST(l.experiment AS TEXT)", .list = true},
    {.name = "creation_timestamp", .column = "l.created", .kind = Attribute::number},
    {.name = "creation_time", .column = "l.created", .kind = Attribute::number},
    {.name = "creation_timestamp_ms", .column = "l.created", .kind = Attribute::number},
    {.name = "last_updated_timestamp", .column = "l.updated", .kind = Attribute::number},
    {.name = "last_updated_time", .column = "l.updated", .kind = Attribute::number},
    {.name = "last_updated_timestamp_ms", .column = "l.updated", .kind = Attribute::number},
};
constexpr Grammar kGrammar = {
    .things = "logged models", .attributes = kAttributes, .metrics = true, .params = true};
constexpr Tables kTables = {
    .owner = "l.seq",
    .tags = "logged_tag",
    .params = "logged_param",
    .metrics = "logged_metric",
    .latest_metrics =
        "(SELECT owner, key, max(value) AS value, min(nan) AS nan FROM logged_metric GROUP BY "
        "owner, key)"};

Result<LoggedModel> whole(Tx& tx, const std::string& id) {
  TRY(LoggedRow row, find_logged(tx, id));
  TRY_VOID(fill_logged(tx, row));
  return std::move(row.model);
}

Result<void> touch(Tx& tx, int64_t seq, int64_t now) {
  TRY_VOID(tx.run("UPDATE logged_model SET updated = ? WHERE seq = ?", {now, seq}));
  return {};
}

}  // namespace

Result<LoggedRow> find_logged(Tx& tx, const std::string& id) {
  std::optional<LoggedRow> found;
  TRY_VOID(tx.each(
      "SELECT seq, id, experiment, name, type, run, created, updated, status FROM logged_model "
      "WHERE id = ? AND deleted = 0",
      {std::string_view(id)}, [&](const Row& row) {
        found.emplace();
        found->seq = row.integer(0);
        LoggedModel& model = found->model;
        model.id = std::string(row.text(1));
        model.experiment = row.integer(2);
        model.name = std::string(row.text(3));
        model.type = std::string(row.text(4));
        model.run = std::string(row.text(5));
        model.created_ms = row.integer(6);
        model.updated_ms = row.integer(7);
        model.status = static_cast<LoggedStatus>(row.integer(8));
        return false;
      }));
  if (!found) return fail(Code::not_found, "Logged model with ID '" + id + "' not found.");
  return std::move(*found);
}

Result<void> fill_logged(Tx& tx, LoggedRow& row) {
  TRY(row.model.tags, pairs_of(tx, "logged_tag", row.seq));
  TRY(row.model.params, pairs_of(tx, "logged_param", row.seq));
  return tx.each(
      "SELECT key, value, nan, step, time, dataset_name, dataset_digest, run FROM "
      "logged_metric WHERE owner = ?",
      {row.seq}, [&](const Row& at) {
        LoggedModel::Measured& measured = row.model.metrics.emplace_back();
        Metric& metric = measured.metric;
        metric.key = std::string(at.text(0));
        metric.value = number_of(at, 1, 2);
        metric.step = at.integer(3);
        metric.time_ms = at.integer(4);
        metric.dataset_name = std::string(at.text(5));
        metric.dataset_digest = std::string(at.text(6));
        metric.model = row.model.id;
        measured.run = std::string(at.text(7));
        return true;
      });
}

Result<void> log_model_metric(Tx& tx, const Metric& metric, const std::string& run) {
  TRY(const LoggedRow row, find_logged(tx, metric.model));
  const StoredNumber number(metric.value);
  TRY_VOID(
      tx.run("INSERT INTO logged_metric VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
             "SET value = excluded.value, nan = excluded.nan, step = excluded.step, time = "
             "excluded.time WHERE (excluded.step, excluded.time, excluded.value) > (step, time, "
             "value)",
             {row.seq, std::string_view(metric.key), std::string_view(metric.dataset_name),
              std::string_view(metric.dataset_digest), std::string_view(run), number.value,
              number.nan, metric.step, metric.time_ms}));
  return {};
}

int64_t LoggedModels::now_ms() const {
  return clock_.now().time_since_epoch().count() / 1'000'000;
}

Task<Result<LoggedModel>> LoggedModels::create(NewLoggedModel model) {
  if (model.name.empty()) model.name = made_up_name();
  if (model.name.size() > 500 || model.name.find_first_of("/:.%\"'") != std::string::npos)
    co_return fail(Code::invalid_argument,
                   "Invalid model name: '" + cut(model.name, 100) +
                       "'. It has at most 500 characters, and none of / : . % \" '.");
  for (const auto& [key, value] : model.tags) {
    CO_TRY_VOID(check_key("tag", key));
    CO_TRY_VOID(check_value("tag", value, kTagValue));
  }
  for (auto& [key, value] : model.params) {
    CO_TRY_VOID(check_key("parameter", key));
    value = cut(std::move(value), kParamValue);
  }
  const std::string id = "m-" + random_hex();
  auto work = [model, id, now = now_ms()](Tx& tx) -> Result<LoggedModel> {
    TRY_VOID(active_experiment(tx, model.experiment));
    TRY_VOID(
        tx.run("INSERT INTO logged_model(id, experiment, name, type, run, created, updated, "
               "status) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
               {std::string_view(id), model.experiment, std::string_view(model.name),
                std::string_view(model.type), std::string_view(model.run), now, now,
                static_cast<int64_t>(LoggedStatus::pending)}));
    const int64_t seq = tx.last_insert_id();
    for (const auto& [key, value] : model.tags)
      TRY_VOID(put_pair(tx, "logged_tag", seq, key, value));
    for (const auto& [key, value] : model.params)
      TRY_VOID(put_pair(tx, "logged_param", seq, key, value));
    return whole(tx, id);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<LoggedModel>> LoggedModels::model(std::string id) {
  auto work = [id](Tx& tx) { return whole(tx, id); };
  co_return co_await database_.read(std::move(work));
}

Task<Result<LoggedModel>> LoggedModels::set_status(std::string id, LoggedStatus status) {
  auto work = [id, status, now = now_ms()](Tx& tx) -> Result<LoggedModel> {
    TRY(const LoggedRow row, find_logged(tx, id));
    TRY_VOID(tx.run("UPDATE logged_model SET status = ? WHERE seq = ?",
                    {static_cast<int64_t>(status), row.seq}));
    TRY_VOID(touch(tx, row.seq, now));
    return whole(tx, id);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> LoggedModels::remove(std::string id) {
  auto work = [id](Tx& tx) -> Result<void> {
    TRY(const LoggedRow row, find_logged(tx, id));
    TRY_VOID(tx.run("UPDATE logged_model SET deleted = 1 WHERE seq = ?", {row.seq}));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<LoggedModel>> LoggedModels::set_tags(std::string id, Pairs tags) {
  for (const auto& [key, value] : tags) {
    CO_TRY_VOID(check_key("tag", key));
    CO_TRY_VOID(check_value("tag", value, kTagValue));
  }
  auto work = [id, tags, now = now_ms()](Tx& tx) -> Result<LoggedModel> {
    TRY(const LoggedRow row, find_logged(tx, id));
    for (const auto& [key, value] : tags) TRY_VOID(put_pair(tx, "logged_tag", row.seq, key, value));
    TRY_VOID(touch(tx, row.seq, now));
    return whole(tx, id);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> LoggedModels::delete_tag(std::string id, std::string key) {
  auto work = [id, key](Tx& tx) -> Result<void> {
    TRY(const LoggedRow row, find_logged(tx, id));
    return drop_pair(tx, "logged_tag", row.seq, key, "logged model " + id);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> LoggedModels::log_params(std::string id, Pairs params) {
  for (auto& [key, value] : params) {
    CO_TRY_VOID(check_key("parameter", key));
    value = cut(std::move(value), kParamValue);
  }
  auto work = [id, params](Tx& tx) -> Result<void> {
    TRY(const LoggedRow row, find_logged(tx, id));
    for (const auto& [key, value] : params)
      TRY_VOID(put_pair(tx, "logged_param", row.seq, key, value));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<PageOf<LoggedModel>>> LoggedModels::search(std::vector<int64_t> experiments,
                                                       Search search) {
  CO_TRY(const auto clauses, parse_filter(search.filter, kGrammar));
  CO_TRY(const auto orders, parse_order(search.order_by, kGrammar));
  CO_TRY(const int64_t offset, offset_of(search.page_token));
  auto work = [experiments, search, clauses, orders,
               offset](Tx& tx) -> Result<PageOf<LoggedModel>> {
    Sql sql;
    sql.add("SELECT l.id FROM logged_model l");
    add_order_joins(sql, orders, kTables);
    sql.add(" WHERE l.deleted = 0 AND l.experiment IN (");
    for (size_t i = 0; i < experiments.size(); ++i)
      sql.add(i == 0 ? "" : ",").add(std::to_string(experiments[i]));
    sql.add(")");
    add_filter(sql, clauses, kTables);
    add_order(sql, orders);
    sql.add("l.created DESC, l.id LIMIT ").value(static_cast<int64_t>(search.limit) + 1);
    sql.add(" OFFSET ").value(offset);
    std::vector<std::string> ids;
    TRY_VOID(tx.each(sql.text, std::span<const store::Value>(sql.values), [&](const Row& row) {
      ids.emplace_back(row.text(0));
      return true;
    }));
    PageOf<LoggedModel> page;
    if (ids.size() > search.limit) {
      ids.pop_back();
      page.next = page_token(offset + static_cast<int64_t>(ids.size()));
    }
    for (const std::string& id : ids) {
      TRY(LoggedModel found, whole(tx, id));
      page.items.push_back(std::move(found));
    }
    return page;
  };
  co_return co_await database_.read(std::move(work));
}

}  // namespace holdfast::ml
