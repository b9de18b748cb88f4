#include "modules/state.h"

#include "modules/modules_sql.h"

namespace holdfast::modules {
namespace {

using store::Row;
using store::Tx;

int64_t nanos(WallTime time) {
  return time.time_since_epoch().count();
}
WallTime time_of(int64_t nanos) {
  return WallTime(std::chrono::nanoseconds(nanos));
}

}  // namespace

Result<State> State::open(store::Database& database) {
  const store::Migration migrations[] = {{1, k_modules_sql}};
  TRY_VOID(database.migrate("modules", migrations));
  return State(database);
}

Result<std::string> State::desired() {
  std::string body;
  TRY_VOID(database_->write_now([&](Tx& tx) {
    return tx.each("SELECT body FROM agent_document WHERE name = 'desired'", {},
                   [&](const Row& row) {
                     body = std::string(row.text(0));
                     return true;
                   });
  }));
  return body;
}

Result<std::map<std::string, Life>> State::lives() {
  std::map<std::string, Life> out;
  TRY_VOID(database_->write_now([&](Tx& tx) {
    return tx.each(
        "SELECT name, fingerprint, restarts, failures, attempted, last_start, last_exit, "
        "last_restart, exit_code, problem FROM module_life",
        {}, [&](const Row& row) {
          Life& life = out[std::string(row.text(0))];
          life.fingerprint = std::string(row.text(1));
          life.restarts = static_cast<unsigned>(row.integer(2));
          life.failures = static_cast<unsigned>(row.integer(3));
          life.attempted = row.integer(4) != 0;
          life.last_start = time_of(row.integer(5));
          life.last_exit = time_of(row.integer(6));
          life.last_restart = time_of(row.integer(7));
          life.exit_code = static_cast<int>(row.integer(8));
          life.problem = std::string(row.text(9));
          return true;
        });
  }));
  return out;
}

Result<std::map<std::string, InstalledModel>> State::models() {
  std::map<std::string, InstalledModel> out;
  TRY_VOID(database_->write_now([&](Tx& tx) {
    return tx.each(
        "SELECT name, fingerprint, version, digest FROM module_model", {}, [&](const Row& row) {
          std::string name(row.text(0));
          out[name] = {name, std::string(row.text(1)), row.integer(2), std::string(row.text(3))};
          return true;
        });
  }));
  return out;
}

Task<Result<void>> State::keep_desired(std::string body) {
  auto work = [body = std::move(body)](Tx& tx) -> Result<void> {
    TRY_VOID(tx.run("INSERT OR REPLACE INTO agent_document VALUES('desired', ?)",
                    {std::string_view(body)}));
    return {};
  };
  co_return co_await database_->write(std::move(work));
}

Task<Result<void>> State::keep_life(std::string name, Life life) {
  auto work = [name = std::move(name), life = std::move(life)](Tx& tx) -> Result<void> {
    TRY_VOID(tx.run("INSERT OR REPLACE INTO module_life VALUES(?,?,?,?,?,?,?,?,?,?)",
                    {std::string_view(name), std::string_view(life.fingerprint),
                     int64_t{life.restarts}, int64_t{life.failures}, int64_t{life.attempted},
                     nanos(life.last_start), nanos(life.last_exit), nanos(life.last_restart),
                     int64_t{life.exit_code}, std::string_view(life.problem)}));
    return {};
  };
  co_return co_await database_->write(std::move(work));
}

Task<Result<void>> State::drop_life(std::string name) {
  auto work = [name = std::move(name)](Tx& tx) -> Result<void> {
    TRY_VOID(tx.run("DELETE FROM module_life WHERE name = ?", {std::string_view(name)}));
    return {};
  };
  co_return co_await database_->write(std::move(work));
}

Task<Result<void>> State::keep_model(InstalledModel model) {
  auto work = [model = std::move(model)](Tx& tx) -> Result<void> {
    TRY_VOID(tx.run("INSERT OR REPLACE INTO module_model VALUES(?,?,?,?)",
                    {std::string_view(model.name), std::string_view(model.fingerprint),
                     model.version, std::string_view(model.digest)}));
    return {};
  };
  co_return co_await database_->write(std::move(work));
}

Task<Result<void>> State::drop_model(std::string name) {
  auto work = [name = std::move(name)](Tx& tx) -> Result<void> {
    TRY_VOID(tx.run("DELETE FROM module_model WHERE name = ?", {std::string_view(name)}));
    return {};
  };
  co_return co_await database_->write(std::move(work));
}

}  // namespace holdfast::modules
