// One SQLite connection with its prepared statements. For sqlite/ alone; used by one thread at a
// time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "store/database/database.h"

struct sqlite3;
struct sqlite3_stmt;

namespace holdfast::store {

class SqliteConnection final : public Tx {
 public:
  // `flags` and `vfs` as sqlite3_open_v2 takes them.
  static Result<std::unique_ptr<SqliteConnection>> open(const std::string& path, int flags,
                                                        const char* vfs = nullptr);
  ~SqliteConnection() override;

  using Tx::each;
  using Tx::run;
  Result<int64_t> run(std::string_view sql, std::span<const Value> values) override;
  Result<void> each(std::string_view sql, std::span<const Value> values,
                    const std::function<bool(const Row&)>& row) override;
  int64_t last_insert_id() const override;
  void before_commit(std::function<Result<void>()> ready) override {
    awaited_.push_back(std::move(ready));
  }
  // Those of the transaction that ended last.
  std::vector<std::function<Result<void>()>> take_awaited() { return std::exchange(awaited_, {}); }

  // Several statements, none with values.
  Result<void> script(std::string_view sql);
  sqlite3* native() const { return db_; }

 private:
  explicit SqliteConnection(sqlite3* db) : db_(db) {}
  Result<sqlite3_stmt*> statement(std::string_view sql, std::span<const Value> values);
  void make_room();
  Error error(int code) const;

  sqlite3* db_;
  std::vector<std::function<Result<void>()>> awaited_;
  // Keyed by text: the same literals come again and again. Searches make texts of their own, so
  // that there is a limit.
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, sqlite3_stmt*, TextHash, std::equal_to<>> statements_;
};

}  // namespace holdfast::store
