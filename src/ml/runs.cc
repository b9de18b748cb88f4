#include "ml/limits.h"
#include "ml/rows.h"
#include "ml/tracking.h"

namespace holdfast::ml {
namespace {

using store::Row;
using store::Tx;

constexpr std::string_view kNameTag = "mlflow.runName";

constexpr Attribute kAttributes[] = {
    {.name = "run_id", .column = "r.id", .list = true},
    {.name = "run_name", .column = "r.name"},
    {.name = "run name", .column = "r.name"},
    {.name = "Run name", .column = "r.name"},
    {.name = "Run Name", .column = "r.name"},
    {.name = "status", .column = "r.status", .kind = Attribute::status},
    {.name = "user_id", .column = "r.user"},
    {.name = "artifact_uri",
     .column = "('mlflow-artifacts:/' || r.experiment || '/' || r.id || '/artifacts')"},
    {.name = "start_time", .column = "r.started", .kind = Attribute::number},
    {.name = "created", .column = "r.started", .kind = Attribute::number},
    {.name = "Created", .column = "r.started", .kind = Attribute::number},
    {.name = "end_time", .column = "r.ended", .kind = Attribute::number},
};
constexpr Grammar kGrammar = {.things = "runs",
                              .attributes = kAttributes,
                              .metrics = true,
                              .params = true,
                              .datasets = true,
                              .nulls = true};
constexpr Tables kTables = {.owner = "r.seq",
                            .tags = "run_tag",
                            .params = "run_param",
                            .metrics = "run_metric",
                            .latest_metrics = "run_metric"};

Result<Run> whole_run(Tx& tx, const std::string& id) {
  TRY(RunRow row, find_run(tx, id));
  TRY_VOID(fill_run(tx, row));
  return std::move(row.run);
}

Result<void> name_run(Tx& tx, int64_t seq, std::string_view name) {
  TRY_VOID(tx.run("UPDATE run SET name = ? WHERE seq = ?", {name, seq}));
  return put_pair(tx, "run_tag", seq, kNameTag, name);
}

Result<void> insert_run(Tx& tx, const NewRun& run, int64_t now) {
  TRY_VOID(active_experiment(tx, run.experiment));
  std::string name = run.name;
  for (const auto& [key, value] : run.tags) {
    if (key != kNameTag || value.empty()) continue;
    if (!name.empty() && name != value)
      return fail(Code::invalid_argument,
                  "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with "
                  "different values (run_name='" +
                      name + "', mlflow.runName='" + value + "').");
    name = value;
  }
  if (name.empty()) name = made_up_name();
  TRY_VOID(tx.run(
      "INSERT INTO run(id, experiment, name, user, status, started) VALUES(?, ?, ?, ?, ?, "
      "?)",
      {std::string_view(run.id), run.experiment, std::string_view(name), std::string_view(run.user),
       static_cast<int64_t>(RunStatus::running), run.started_ms != 0 ? run.started_ms : now}));
  const int64_t seq = tx.last_insert_id();
  for (const auto& [key, value] : run.tags) TRY_VOID(put_pair(tx, "run_tag", seq, key, value));
  return put_pair(tx, "run_tag", seq, kNameTag, name);
}

}  // namespace

Task<Result<Run>> Tracking::create_run(NewRun run) {
  if (run.id.empty()) run.id = random_hex();
  CO_TRY_VOID(check_run_id(run.id));
  Batch tags;
  tags.tags = std::move(run.tags);
  CO_TRY_VOID(check_batch(tags));
  run.tags = std::move(tags.tags);
  auto work = [run, now = now_ms()](Tx& tx) -> Result<Run> {
    const auto there = find_run(tx, run.id);
    if (!there && there.error().code() != Code::not_found) return std::unexpected(there.error());
    if (!there) TRY_VOID(insert_run(tx, run, now));
    if (there && there->run.experiment != run.experiment)
      return fail(Code::conflict, "exists",
                  "there is a run '" + run.id + "' already, of another experiment");
    return whole_run(tx, run.id);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<Run>> Tracking::run(std::string id) {
  auto work = [id](Tx& tx) { return whole_run(tx, id); };
  co_return co_await database_.read(std::move(work));
}

Task<Result<Run>> Tracking::update_run(std::string id, RunChange change) {
  auto work = [id, change](Tx& tx) -> Result<Run> {
    TRY(RunRow row, active_run(tx, id));
    if (change.status)
      TRY_VOID(tx.run("UPDATE run SET status = ? WHERE seq = ?",
                      {static_cast<int64_t>(*change.status), row.seq}));
    if (change.ended_ms)
      TRY_VOID(tx.run("UPDATE run SET ended = ? WHERE seq = ?", {*change.ended_ms, row.seq}));
    if (change.name && !change.name->empty()) TRY_VOID(name_run(tx, row.seq, *change.name));
    return whole_run(tx, id);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<Run>> Tracking::end_run(std::string id, RunStatus status) {
  auto work = [id, status, now = now_ms()](Tx& tx) -> Result<Run> {
    TRY(const RunRow row, find_run(tx, id));
    TRY_VOID(tx.run(
        "UPDATE run SET status = ?, ended = CASE ended WHEN 0 THEN ? ELSE ended END WHERE seq = ?",
        {static_cast<int64_t>(status), now, row.seq}));
    return whole_run(tx, id);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Tracking::set_run_deleted(std::string id, bool deleted) {
  auto work = [id, deleted](Tx& tx) -> Result<void> {
    TRY(const RunRow row, find_run(tx, id));
    TRY_VOID(tx.run("UPDATE run SET deleted = ? WHERE seq = ?", {int64_t{deleted}, row.seq}));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Tracking::delete_tag(std::string id, std::string key) {
  auto work = [id, key](Tx& tx) -> Result<void> {
    TRY(const RunRow row, active_run(tx, id));
    return drop_pair(tx, "run_tag", row.seq, key, "run " + id);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<PageOf<Run>>> Tracking::search_runs(std::vector<int64_t> experiments, Search search) {
  CO_TRY(const auto clauses, parse_filter(search.filter, kGrammar));
  CO_TRY(const auto orders, parse_order(search.order_by, kGrammar));
  CO_TRY(const int64_t offset, offset_of(search.page_token));
  auto work = [experiments, search, clauses, orders, offset](Tx& tx) -> Result<PageOf<Run>> {
    Sql sql;
    // One experiment, which is the rule, can be read in the index's order.
    std::string of = " WHERE r.experiment IN (";
    for (size_t i = 0; i < experiments.size(); ++i)
      of += (i == 0 ? "" : ",") + std::to_string(experiments[i]);
    if (experiments.size() == 1) of = " WHERE r.experiment = ";
    sql.add("SELECT r.id FROM run r");
    add_order_joins(sql, orders, kTables);
    if (experiments.size() == 1) {
      sql.add(of).value(experiments.front());
    } else {
      sql.add(of).add(")");
    }
    sql.add(search.view == View::active    ? " AND r.deleted = 0"
            : search.view == View::deleted ? " AND r.deleted <> 0"
                                           : "");
    add_filter(sql, clauses, kTables);
    add_order(sql, orders);
    sql.add("r.started DESC, r.id LIMIT ").value(static_cast<int64_t>(search.limit) + 1);
    sql.add(" OFFSET ").value(offset);
    std::vector<std::string> ids;
    TRY_VOID(tx.each(sql.text, std::span<const store::Value>(sql.values), [&](const Row& row) {
      ids.emplace_back(row.text(0));
      return true;
    }));
    PageOf<Run> page;
    if (ids.size() > search.limit) {
      ids.pop_back();
      page.next = page_token(offset + static_cast<int64_t>(ids.size()));
    }
    page.items.reserve(ids.size());
    for (const std::string& id : ids) {
      TRY(Run found, whole_run(tx, id));
      page.items.push_back(std::move(found));
    }
    return page;
  };
  co_return co_await database_.read(std::move(work));
}

}  // namespace holdfast::ml
