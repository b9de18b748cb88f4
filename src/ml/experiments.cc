#include "ml/limits.h"
#include "ml/rows.h"
#include "ml/sql_ml_sql.h"
#include "ml/tracking.h"

namespace holdfast::ml {
namespace {

using store::Row;
using store::Tx;

constexpr Attribute kAttributes[] = {
    {.name = "name", .column = "e.name"},
    {.name = "experiment_id", .column = "CAST(e.id AS TEXT)", .list = true},
    {.name = "creation_time", .column = "e.created", .kind = Attribute::number},
    {.name = "last_update_time", .column = "e.updated", .kind = Attribute::number},
};
constexpr Grammar kGrammar = {.things = "experiments", .attributes = kAttributes, .nulls = true};
constexpr Tables kTables = {.owner = "e.id", .tags = "experiment_tag"};

Result<std::optional<Experiment>> named(Tx& tx, const std::string& name) {
  int64_t id = -1;
  TRY_VOID(tx.each("SELECT id FROM experiment WHERE name = ?", {std::string_view(name)},
                   [&](const Row& row) {
                     id = row.integer(0);
                     return false;
                   }));
  if (id < 0) return std::nullopt;
  TRY(Experiment found, find_experiment(tx, id));
  return found;
}

Result<Experiment> insert(Tx& tx, const std::string& name, const Pairs& tags, int64_t now) {
  TRY_VOID(tx.run("INSERT INTO experiment(name, created, updated) VALUES(?, ?, ?)",
                  {std::string_view(name), now, now}));
  const int64_t id = tx.last_insert_id();
  for (const auto& [key, value] : tags) TRY_VOID(put_pair(tx, "experiment_tag", id, key, value));
  return find_experiment(tx, id);
}

Result<void> touch(Tx& tx, int64_t id, int64_t now) {
  TRY_VOID(tx.run("UPDATE experiment SET updated = ? WHERE id = ?", {now, id}));
  return {};
}

}  // namespace

Result<std::unique_ptr<Tracking>> Tracking::open(store::Database& database, const Clock& clock) {
  const store::Migration migrations[] = {{1, k_sql_ml_sql}};
  TRY_VOID(database.migrate("ml", migrations));
  std::unique_ptr<Tracking> made(new Tracking(database, clock));
  TRY_VOID(database.write_now([now = made->now_ms()](Tx& tx) -> Result<void> {
    TRY_VOID(
        tx.run("INSERT OR IGNORE INTO experiment(id, name, created, updated) "
               "VALUES(0, 'Default', ?, ?)",
               {now, now}));
    return {};
  }));
  return made;
}

int64_t Tracking::now_ms() const {
  return clock_.now().time_since_epoch().count() / 1'000'000;
}

Task<Result<Experiment>> Tracking::create_experiment(std::string name, Pairs tags) {
  CO_TRY_VOID(check_experiment_name(name));
  for (const auto& [key, value] : tags) {
    CO_TRY_VOID(check_key("tag", key));
    CO_TRY_VOID(check_value("tag", value, kExperimentTagValue));
  }
  auto work = [name, tags, now = now_ms()](Tx& tx) -> Result<Experiment> {
    TRY(const auto there, named(tx, name));
    if (there)
      return fail(
          Code::conflict, "exists",
          "Experiment '" + name + "' already exists" +
              (there->deleted ? " in deleted state. You can restore the experiment." : "."));
    return insert(tx, name, tags, now);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<Experiment>> Tracking::ensure_experiment(std::string name) {
  CO_TRY_VOID(check_experiment_name(name));
  auto work = [name, now = now_ms()](Tx& tx) -> Result<Experiment> {
    TRY(auto there, named(tx, name));
    if (!there) return insert(tx, name, {}, now);
    if (there->deleted)
      return fail(Code::conflict, "the experiment '" + name + "' is deleted; restore it first");
    return std::move(*there);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<Experiment>> Tracking::experiment(int64_t id) {
  auto work = [id](Tx& tx) { return find_experiment(tx, id); };
  co_return co_await database_.read(std::move(work));
}

Task<Result<Experiment>> Tracking::experiment_named(std::string name) {
  auto work = [name](Tx& tx) -> Result<Experiment> {
    TRY(auto there, named(tx, name));
    if (!there) return fail(Code::not_found, "Could not find experiment with name '" + name + "'");
    return std::move(*there);
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<void>> Tracking::rename_experiment(int64_t id, std::string name) {
  CO_TRY_VOID(check_experiment_name(name));
  auto work = [id, name, now = now_ms()](Tx& tx) -> Result<void> {
    TRY_VOID(active_experiment(tx, id));
    TRY(const auto there, named(tx, name));
    if (there && there->id != id)
      return fail(Code::conflict, "exists", "Experiment '" + name + "' already exists.");
    TRY_VOID(tx.run("UPDATE experiment SET name = ? WHERE id = ?", {std::string_view(name), id}));
    return touch(tx, id, now);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Tracking::set_experiment_deleted(int64_t id, bool deleted) {
  auto work = [id, deleted, now = now_ms()](Tx& tx) -> Result<void> {
    TRY(const Experiment found, find_experiment(tx, id));
    if (found.deleted == deleted)
      return fail(Code::not_found, "the experiment " + std::to_string(id) + " is " +
                                       (deleted ? "deleted already" : "not deleted"));
    TRY_VOID(tx.run("UPDATE experiment SET deleted = ? WHERE id = ?", {int64_t{deleted}, id}));
    // 2: deleted with its experiment, and restored with it.
    TRY_VOID(tx.run(deleted ? "UPDATE run SET deleted = 2 WHERE experiment = ? AND deleted = 0"
                            : "UPDATE run SET deleted = 0 WHERE experiment = ? AND deleted = 2",
                    {id}));
    return touch(tx, id, now);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Tracking::set_experiment_tag(int64_t id, std::string key, std::string value) {
  CO_TRY_VOID(check_key("tag", key));
  CO_TRY_VOID(check_value("tag", value, kExperimentTagValue));
  auto work = [id, key, value, now = now_ms()](Tx& tx) -> Result<void> {
    TRY_VOID(active_experiment(tx, id));
    TRY_VOID(put_pair(tx, "experiment_tag", id, key, value));
    return touch(tx, id, now);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Tracking::delete_experiment_tag(int64_t id, std::string key) {
  auto work = [id, key, now = now_ms()](Tx& tx) -> Result<void> {
    TRY_VOID(active_experiment(tx, id));
    TRY_VOID(drop_pair(tx, "experiment_tag", id, key, "experiment " + std::to_string(id)));
    return touch(tx, id, now);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<PageOf<Experiment>>> Tracking::search_experiments(Search search) {
  CO_TRY(const auto clauses, parse_filter(search.filter, kGrammar));
  CO_TRY(const auto orders, parse_order(search.order_by, kGrammar));
  CO_TRY(const int64_t offset, offset_of(search.page_token));
  auto work = [search, clauses, orders, offset](Tx& tx) -> Result<PageOf<Experiment>> {
    Sql sql;
    sql.add("SELECT e.id FROM experiment e");
    add_order_joins(sql, orders, kTables);
    sql.add(search.view == View::active    ? " WHERE e.deleted = 0"
            : search.view == View::deleted ? " WHERE e.deleted <> 0"
                                           : " WHERE 1");
    add_filter(sql, clauses, kTables);
    add_order(sql, orders);
    sql.add(orders.empty() ? "e.created DESC, e.id DESC" : "e.id ASC");
    sql.add(" LIMIT ").value(static_cast<int64_t>(search.limit) + 1).add(" OFFSET ").value(offset);
    PageOf<Experiment> page;
    std::vector<int64_t> ids;
    TRY_VOID(tx.each(sql.text, std::span<const store::Value>(sql.values), [&](const Row& row) {
      ids.push_back(row.integer(0));
      return true;
    }));
    if (ids.size() > search.limit) {
      ids.pop_back();
      page.next = page_token(offset + static_cast<int64_t>(ids.size()));
    }
    for (const int64_t id : ids) {
      TRY(Experiment found, find_experiment(tx, id));
      page.items.push_back(std::move(found));
    }
    return page;
  };
  co_return co_await database_.read(std::move(work));
}

}  // namespace holdfast::ml
