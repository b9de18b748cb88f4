#include "ml/models.h"

#include "ml/limits.h"
#include "ml/rows.h"

namespace holdfast::ml {
namespace {

using store::Row;
using store::Tx;

constexpr Attribute kAttributes[] = {
    {.name = "name", .column = "m.name", .list = true},
    {.name = "creation_timestamp",
     .column = "m.created",
     .kind = Attribute::number,
     .filter = false},
    {.name = "timestamp", .column = "m.updated", .kind = Attribute::number, .filter = false},
    {.name = "last_updated_timestamp",
     .column = "m.updated",
     .kind = Attribute::number,
     .filter = false},
};
constexpr Grammar kGrammar = {.things = "registered models", .attributes = kAttributes};
constexpr Tables kTables = {.owner = "m.id", .tags = "model_tag", .prompts = true};

Result<void> check_tag(const std::string& key, const std::string& value) {
  TRY_VOID(check_key("tag", key));
  return check_value("tag", value, kRegistryTagValue);
}

Result<RegisteredModel> whole(Tx& tx, const std::string& name) {
  TRY(ModelRow row, find_model(tx, name));
  TRY_VOID(fill_model(tx, row));
  return std::move(row.model);
}

Result<void> insert(Tx& tx, const std::string& name, const std::string& description,
                    const Pairs& tags, int64_t now) {
  TRY_VOID(tx.run("INSERT INTO model(name, description, created, updated) VALUES(?, ?, ?, ?)",
                  {std::string_view(name), std::string_view(description), now, now}));
  const int64_t id = tx.last_insert_id();
  for (const auto& [key, value] : tags) TRY_VOID(put_pair(tx, "model_tag", id, key, value));
  return {};
}

}  // namespace

Result<ModelRow> find_model(Tx& tx, const std::string& name) {
  std::optional<ModelRow> found;
  TRY_VOID(tx.each("SELECT id, name, description, created, updated FROM model WHERE name = ?",
                   {std::string_view(name)}, [&](const Row& row) {
                     found.emplace();
                     found->id = row.integer(0);
                     found->model.name = std::string(row.text(1));
                     found->model.description = std::string(row.text(2));
                     found->model.created_ms = row.integer(3);
                     found->model.updated_ms = row.integer(4);
                     return false;
                   }));
  if (!found) return fail(Code::not_found, "Registered Model with name=" + name + " not found");
  return std::move(*found);
}

Result<void> fill_model(Tx& tx, ModelRow& row) {
  TRY(row.model.tags, pairs_of(tx, "model_tag", row.id));
  TRY_VOID(tx.each("SELECT alias, number FROM model_alias WHERE owner = ? ORDER BY alias", {row.id},
                   [&](const Row& at) {
                     row.model.aliases.emplace_back(at.text(0), at.integer(1));
                     return true;
                   }));
  const store::Value values[] = {row.id};
  TRY(row.model.latest,
      versions_where(tx,
                     "WHERE v.model = ?1 AND v.number IN (SELECT max(number) FROM model_version "
                     "WHERE model = ?1 GROUP BY stage) ORDER BY v.number",
                     values));
  return {};
}

int64_t Models::now_ms() const {
  return clock_.now().time_since_epoch().count() / 1'000'000;
}

void Models::observe(std::function<void(const ModelVersion&)> observer) {
  observers_.push_back(std::move(observer));
}

Task<Result<RegisteredModel>> Models::create(std::string name, std::string description,
                                             Pairs tags) {
  CO_TRY_VOID(check_model_name(name));
  for (const auto& [key, value] : tags) CO_TRY_VOID(check_tag(key, value));
  auto work = [name, description, tags, now = now_ms()](Tx& tx) -> Result<RegisteredModel> {
    if (find_model(tx, name))
      return fail(Code::conflict, "exists", "Registered Model (name=" + name + ") already exists.");
    TRY_VOID(insert(tx, name, description, tags, now));
    return whole(tx, name);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<RegisteredModel>> Models::ensure(std::string name) {
  CO_TRY_VOID(check_model_name(name));
  auto work = [name, now = now_ms()](Tx& tx) -> Result<RegisteredModel> {
    auto there = whole(tx, name);
    if (there || there.error().code() != Code::not_found) return there;
    TRY_VOID(insert(tx, name, "", {}, now));
    return whole(tx, name);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<RegisteredModel>> Models::model(std::string name) {
  auto work = [name](Tx& tx) { return whole(tx, name); };
  co_return co_await database_.read(std::move(work));
}

Task<Result<RegisteredModel>> Models::rename(std::string name, std::string to) {
  CO_TRY_VOID(check_model_name(to));
  auto work = [name, to, now = now_ms()](Tx& tx) -> Result<RegisteredModel> {
    TRY(const ModelRow row, find_model(tx, name));
    if (name != to && find_model(tx, to))
      return fail(Code::conflict, "exists", "Registered Model (name=" + to + ") already exists.");
    TRY_VOID(tx.run("UPDATE model SET name = ?, updated = ? WHERE id = ?",
                    {std::string_view(to), now, row.id}));
    return whole(tx, to);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<RegisteredModel>> Models::describe(std::string name, std::string description) {
  auto work = [name, description, now = now_ms()](Tx& tx) -> Result<RegisteredModel> {
    TRY(const ModelRow row, find_model(tx, name));
    TRY_VOID(tx.run("UPDATE model SET description = ?, updated = ? WHERE id = ?",
                    {std::string_view(description), now, row.id}));
    return whole(tx, name);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Models::remove(std::string name) {
  auto work = [name](Tx& tx) -> Result<void> {
    TRY(const ModelRow row, find_model(tx, name));
    for (const char* sql :
         {"DELETE FROM version_tag WHERE owner IN (SELECT sequence FROM model_version WHERE model "
          "= "
          "?)",
          "DELETE FROM model_version WHERE model = ?", "DELETE FROM model_alias WHERE owner = ?",
          "DELETE FROM model_tag WHERE owner = ?", "DELETE FROM model WHERE id = ?"})
      TRY_VOID(tx.run(sql, {row.id}));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Models::set_tag(std::string name, std::string key, std::string value) {
  CO_TRY_VOID(check_tag(key, value));
  auto work = [name, key, value](Tx& tx) -> Result<void> {
    TRY(const ModelRow row, find_model(tx, name));
    return put_pair(tx, "model_tag", row.id, key, value);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Models::delete_tag(std::string name, std::string key) {
  auto work = [name, key](Tx& tx) -> Result<void> {
    TRY(const ModelRow row, find_model(tx, name));
    // Gone is gone: the stock registry does not mind either.
    const auto dropped = drop_pair(tx, "model_tag", row.id, key, name);
    if (!dropped && dropped.error().code() != Code::not_found) return dropped;
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<PageOf<RegisteredModel>>> Models::search(Search search) {
  CO_TRY(const auto clauses, parse_filter(search.filter, kGrammar));
  CO_TRY(const auto orders, parse_order(search.order_by, kGrammar));
  CO_TRY(const int64_t offset, offset_of(search.page_token));
  auto work = [search, clauses, orders, offset](Tx& tx) -> Result<PageOf<RegisteredModel>> {
    Sql sql;
    sql.add("SELECT m.name FROM model m");
    add_order_joins(sql, orders, kTables);
    sql.add(" WHERE 1");
    add_filter(sql, clauses, kTables);
    add_order(sql, orders);
    sql.add("m.name LIMIT ").value(static_cast<int64_t>(search.limit) + 1);
    sql.add(" OFFSET ").value(offset);
    std::vector<std::string> names;
    TRY_VOID(tx.each(sql.text, std::span<const store::Value>(sql.values), [&](const Row& row) {
      names.emplace_back(row.text(0));
      return true;
    }));
    PageOf<RegisteredModel> page;
    if (names.size() > search.limit) {
      names.pop_back();
      page.next = page_token(offset + static_cast<int64_t>(names.size()));
    }
    for (const std::string& name : names) {
      TRY(RegisteredModel found, whole(tx, name));
      page.items.push_back(std::move(found));
    }
    return page;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<void>> Models::set_alias(std::string name, std::string alias, int64_t number) {
  CO_TRY_VOID(check_alias(alias));
  auto work = [name, alias, number, now = now_ms()](Tx& tx) -> Result<void> {
    TRY(const ModelRow row, find_model(tx, name));
    TRY_VOID(find_version(tx, name, number));
    TRY_VOID(
        tx.run("INSERT INTO model_alias VALUES(?, ?, ?) ON CONFLICT(owner, alias) DO UPDATE "
               "SET number = excluded.number",
               {row.id, std::string_view(alias), number}));
    TRY_VOID(tx.run("UPDATE model SET updated = ? WHERE id = ?", {now, row.id}));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Models::delete_alias(std::string name, std::string alias) {
  auto work = [name, alias](Tx& tx) -> Result<void> {
    TRY(const ModelRow row, find_model(tx, name));
    TRY_VOID(tx.run("DELETE FROM model_alias WHERE owner = ? AND alias = ?",
                    {row.id, std::string_view(alias)}));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<ModelVersion>> Models::version_by_alias(std::string name, std::string alias) {
  auto work = [name, alias](Tx& tx) -> Result<ModelVersion> {
    TRY(const ModelRow row, find_model(tx, name));
    int64_t number = 0;
    TRY_VOID(tx.each("SELECT number FROM model_alias WHERE owner = ? AND alias = ?",
                     {row.id, std::string_view(alias)}, [&](const Row& at) {
                       number = at.integer(0);
                       return false;
                     }));
    if (number == 0)
      return fail(Code::not_found, "alias_not_found",
                  "Registered model alias " + alias + " not found.");
    return find_version(tx, name, number);
  };
  co_return co_await database_.read(std::move(work));
}

}  // namespace holdfast::ml
