#include <algorithm>

#include "ml/limits.h"
#include "ml/models.h"
#include "ml/rows.h"

namespace holdfast::ml {
namespace {

using store::Row;
using store::Tx;

constexpr Attribute kAttributes[] = {
    {.name = "name", .column = "m.name", .list = true},
    {.name = "version_number", .column = "v.number", .kind = Attribute::number},
    {.name = "run_id", .column = "v.run", .list = true},
    {.name = "source_path", .column = "v.source"},
    {.name = "creation_timestamp",
     .column = "v.created",
     .kind = Attribute::number,
     .filter = false},
    {.name = "last_updated_timestamp",
     .column = "v.updated",
     .kind = Attribute::number,
     .filter = false},
};
constexpr Grammar kGrammar = {.things = "model versions", .attributes = kAttributes};
constexpr Tables kTables = {.owner = "v.sequence", .tags = "version_tag", .prompts = true};

Result<std::string> stage_of(const std::string& text) {
  for (const char* stage : {"None", "Staging", "Production", "Archived"}) {
    if (equal_ignore_case(text, stage)) return stage;
  }
  return fail(Code::invalid_argument,
              "Invalid Model Version stage: " + cut(text, 100) +
                  ". Value must be one of None, Staging, Production, Archived.");
}

Result<std::optional<ModelVersion>> made_by(Tx& tx, const std::string& key) {
  const store::Value values[] = {std::string_view(key)};
  TRY(auto found, versions_where(tx, "WHERE v.source_key = ? AND v.source_key <> ''", values));
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

Result<ModelVersion> insert(Tx& tx, const NewVersion& version, int64_t now) {
  TRY(const ModelRow row, find_model(tx, version.model));
  TRY_VOID(tx.run("UPDATE model SET last = last + 1, updated = ? WHERE id = ?", {now, row.id}));
  TRY_VOID(tx.run(
      "INSERT INTO model_version(model, number, created, updated, status, description, user, "
      "source, root, run, logged_model, run_link, source_key) SELECT id, last, ?, ?, ?, ?, ?, ?, "
      "?, ?, ?, ?, ? FROM model WHERE id = ?",
      {now, now, static_cast<int64_t>(version.status), std::string_view(version.description),
       std::string_view(version.user), std::string_view(version.source),
       std::string_view(version.root), std::string_view(version.run),
       std::string_view(version.logged_model), std::string_view(version.run_link),
       std::string_view(version.source_key), row.id}));
  const int64_t sequence = tx.last_insert_id();
  for (const auto& [key, value] : version.tags)
    TRY_VOID(put_pair(tx, "version_tag", sequence, key, value));
  const store::Value values[] = {sequence};
  TRY(auto made, versions_where(tx, "WHERE v.sequence = ?", values));
  return std::move(made.front());
}

}  // namespace

Result<std::vector<ModelVersion>> versions_where(Tx& tx, std::string_view condition,
                                                 std::span<const store::Value> values) {
  std::vector<ModelVersion> out;
  const std::string sql =
      "SELECT m.name, v.number, v.sequence, v.created, v.updated, v.stage, v.status, "
      "v.status_message, v.description, v.user, v.source, v.root, v.run, v.logged_model, "
      "v.run_link, v.source_key, m.id FROM model_version v JOIN model m ON m.id = v.model " +
      std::string(condition);
  std::vector<int64_t> models;
  TRY_VOID(tx.each(sql, values, [&](const Row& row) {
    ModelVersion& to = out.emplace_back();
    to.model = std::string(row.text(0));
    to.number = row.integer(1);
    to.sequence = row.integer(2);
    to.created_ms = row.integer(3);
    to.updated_ms = row.integer(4);
    to.stage = std::string(row.text(5));
    to.status = static_cast<VersionStatus>(row.integer(6));
    int column = 7;
    for (std::string* text : {&to.status_message, &to.description, &to.user, &to.source, &to.root,
                              &to.run, &to.logged_model, &to.run_link, &to.source_key})
      *text = std::string(row.text(column++));
    models.push_back(row.integer(16));
    return true;
  }));
  for (size_t i = 0; i < out.size(); ++i) {
    TRY(out[i].tags, pairs_of(tx, "version_tag", out[i].sequence));
    TRY_VOID(tx.each("SELECT alias FROM model_alias WHERE owner = ? AND number = ? ORDER BY alias",
                     {models[i], out[i].number}, [&](const Row& row) {
                       out[i].aliases.emplace_back(row.text(0));
                       return true;
                     }));
  }
  return out;
}

Result<ModelVersion> find_version(Tx& tx, const std::string& name, int64_t number) {
  const store::Value values[] = {std::string_view(name), number};
  TRY(auto found, versions_where(tx, "WHERE m.name = ? AND v.number = ?", values));
  if (found.empty())
    return fail(Code::not_found, "Model Version (name=" + name +
                                     ", version=" + std::to_string(number) + ") not found");
  return std::move(found.front());
}

Task<Result<ModelVersion>> Models::create_version(NewVersion version) {
  for (const auto& [key, value] : version.tags) {
    CO_TRY_VOID(check_key("tag", key));
    CO_TRY_VOID(check_value("tag", value, kRegistryTagValue));
  }
  // Whether this call made it is told beside it: only what is new is told to observers.
  struct Made {
    ModelVersion version;
    bool fresh = false;
  };
  auto work = [version, now = now_ms()](Tx& tx) -> Result<Made> {
    TRY(auto there, made_by(tx, version.source_key));
    if (there && there->model != version.model)
      return fail(Code::conflict, "exists",
                  "'" + version.source_key + "' made a version of '" + there->model + "' already");
    Made out;
    out.fresh = !there;
    if (there) {
      out.version = std::move(*there);
      return out;
    }
    TRY(out.version, insert(tx, version, now));
    return out;
  };
  CO_TRY(Made made, co_await database_.write(std::move(work)));
  if (made.fresh) {
    for (const auto& observer : observers_) observer(made.version);
  }
  co_return std::move(made.version);
}

Task<Result<ModelVersion>> Models::version(std::string name, int64_t number) {
  auto work = [name, number](Tx& tx) { return find_version(tx, name, number); };
  co_return co_await database_.read(std::move(work));
}

Task<Result<std::vector<ModelVersion>>> Models::versions(std::string name, size_t limit) {
  auto work = [name, limit](Tx& tx) -> Result<std::vector<ModelVersion>> {
    TRY(const ModelRow row, find_model(tx, name));
    const store::Value values[] = {row.id, static_cast<int64_t>(limit)};
    return versions_where(tx, "WHERE v.model = ? ORDER BY v.number DESC LIMIT ?", values);
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<ModelVersion>> Models::describe_version(std::string name, int64_t number,
                                                    std::string description) {
  auto work = [name, number, description, now = now_ms()](Tx& tx) -> Result<ModelVersion> {
    TRY(const ModelVersion found, find_version(tx, name, number));
    TRY_VOID(tx.run("UPDATE model_version SET description = ?, updated = ? WHERE sequence = ?",
                    {std::string_view(description), now, found.sequence}));
    return find_version(tx, name, number);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<ModelVersion>> Models::set_status(std::string name, int64_t number,
                                              VersionStatus status, std::string message) {
  auto work = [name, number, status, message, now = now_ms()](Tx& tx) -> Result<ModelVersion> {
    TRY(const ModelVersion found, find_version(tx, name, number));
    TRY_VOID(tx.run(
        "UPDATE model_version SET status = ?, status_message = ?, updated = ? WHERE sequence = ?",
        {static_cast<int64_t>(status), std::string_view(message), now, found.sequence}));
    return find_version(tx, name, number);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<ModelVersion>> Models::set_stage(std::string name, int64_t number, std::string stage,
                                             bool archive_others) {
  CO_TRY(const std::string to, stage_of(stage));
  if (archive_others && (to == "None" || to == "Archived"))
    co_return fail(Code::invalid_argument,
                   "Model version transition cannot archive existing model versions because '" +
                       to + "' is not an Active stage. Valid stages are Staging, Production");
  auto work = [name, number, to, archive_others, now = now_ms()](Tx& tx) -> Result<ModelVersion> {
    TRY(const ModelVersion found, find_version(tx, name, number));
    if (archive_others)
      TRY_VOID(
          tx.run("UPDATE model_version SET stage = 'Archived', updated = ? WHERE stage = ? "
                 "AND sequence <> ? AND model = (SELECT id FROM model WHERE name = ?)",
                 {now, std::string_view(to), found.sequence, std::string_view(name)}));
    TRY_VOID(tx.run("UPDATE model_version SET stage = ?, updated = ? WHERE sequence = ?",
                    {std::string_view(to), now, found.sequence}));
    return find_version(tx, name, number);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Models::remove_version(std::string name, int64_t number) {
  auto work = [name, number](Tx& tx) -> Result<void> {
    TRY(const ModelRow row, find_model(tx, name));
    TRY(const ModelVersion found, find_version(tx, name, number));
    TRY_VOID(tx.run("DELETE FROM version_tag WHERE owner = ?", {found.sequence}));
    TRY_VOID(tx.run("DELETE FROM model_alias WHERE owner = ? AND number = ?", {row.id, number}));
    TRY_VOID(tx.run("DELETE FROM model_version WHERE sequence = ?", {found.sequence}));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Models::set_version_tag(std::string name, int64_t number, std::string key,
                                           std::string value) {
  CO_TRY_VOID(check_key("tag", key));
  CO_TRY_VOID(check_value("tag", value, kRegistryTagValue));
  auto work = [name, number, key, value](Tx& tx) -> Result<void> {
    TRY(const ModelVersion found, find_version(tx, name, number));
    return put_pair(tx, "version_tag", found.sequence, key, value);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Models::delete_version_tag(std::string name, int64_t number, std::string key) {
  auto work = [name, number, key](Tx& tx) -> Result<void> {
    TRY(const ModelVersion found, find_version(tx, name, number));
    const auto dropped = drop_pair(tx, "version_tag", found.sequence, key, name);
    if (!dropped && dropped.error().code() != Code::not_found) return dropped;
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<PageOf<ModelVersion>>> Models::search_versions(Search search) {
  CO_TRY(const auto clauses, parse_filter(search.filter, kGrammar));
  CO_TRY(const auto orders, parse_order(search.order_by, kGrammar));
  CO_TRY(const int64_t offset, offset_of(search.page_token));
  auto work = [search, clauses, orders, offset](Tx& tx) -> Result<PageOf<ModelVersion>> {
    Sql sql;
    add_order_joins(sql, orders, kTables);
    sql.add("WHERE 1");
    add_filter(sql, clauses, kTables);
    add_order(sql, orders);
    sql.add(orders.empty() ? "v.updated DESC, " : "");
    sql.add("m.name, v.number DESC LIMIT ").value(static_cast<int64_t>(search.limit) + 1);
    sql.add(" OFFSET ").value(offset);
    PageOf<ModelVersion> page;
    TRY(page.items, versions_where(tx, sql.text, sql.values));
    if (page.items.size() > search.limit) {
      page.items.pop_back();
      page.next = page_token(offset + static_cast<int64_t>(page.items.size()));
    }
    return page;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<std::optional<std::pair<std::string, int64_t>>>> Models::holder(std::string path) {
  using Holder = std::optional<std::pair<std::string, int64_t>>;
  auto work = [path](Tx& tx) -> Result<Holder> {
    Holder found;
    Sql sql;
    sql.add("SELECT m.name, v.number FROM model_version v JOIN model m ON m.id = v.model WHERE ");
    sql.add("v.root <> '' AND (v.root IN (").keep(path);
    for (size_t slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1))
      sql.add(", ").keep(path.substr(0, slash));
    // '0' follows '/': everything below the path.
    sql.add(") OR (v.root > ").keep(path + "/").add(" AND v.root < ").keep(path + "0");
    sql.add(")) ORDER BY v.sequence LIMIT 1");
    TRY_VOID(tx.each(sql.text, std::span<const store::Value>(sql.values), [&](const Row& row) {
      found.emplace(row.text(0), row.integer(1));
      return false;
    }));
    return found;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<std::vector<ModelVersion>>> Models::versions_after(int64_t sequence, size_t limit) {
  auto work = [sequence, limit](Tx& tx) -> Result<std::vector<ModelVersion>> {
    const store::Value values[] = {sequence, static_cast<int64_t>(limit)};
    return versions_where(tx, "WHERE v.sequence > ? ORDER BY v.sequence LIMIT ?", values);
  };
  co_return co_await database_.read(std::move(work));
}

}  // namespace holdfast::ml
