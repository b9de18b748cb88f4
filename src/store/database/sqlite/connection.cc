#include "store/database/sqlite/connection.h"

#include <sqlite3.h>

#include <mutex>

namespace holdfast::store {
namespace {

constexpr size_t kStatements = 512;

class SqliteRow final : public Row {
 public:
  explicit SqliteRow(sqlite3_stmt* statement) : statement_(statement) {}
  bool is_null(int column) const override {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
  }
  int64_t integer(int column) const override { return sqlite3_column_int64(statement_, column); }
  double number(int column) const override { return sqlite3_column_double(statement_, column); }
  // By its value, for each call with a column's number costs as much as what it asks for.
  std::string_view text(int column) const override {
    sqlite3_value* const value = sqlite3_column_value(statement_, column);
    const auto* chars = reinterpret_cast<const char*>(sqlite3_value_text(value));
    return {chars, static_cast<size_t>(sqlite3_value_bytes(value))};
  }
  ByteView blob(int column) const override {
    const auto* bytes = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
    return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
  }

 private:
  sqlite3_stmt* statement_;
};

// Leaves the statement ready for its next use however its run ends.
class Reset {
 public:
  explicit Reset(sqlite3_stmt* statement) : statement_(statement) {}
  Reset(const Reset&) = delete;
  Reset& operator=(const Reset&) = delete;
  ~Reset() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }

 private:
  sqlite3_stmt* statement_;
};

}  // namespace

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(const std::string& path, int flags,
                                                                 const char* vfs) {
  // Without the account of all memory in use no lock is taken at each allocation.
  static std::once_flag once;
  std::call_once(once, [] { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); });
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &db, flags | SQLITE_OPEN_NOMUTEX, vfs);
  std::unique_ptr<SqliteConnection> made(new SqliteConnection(db));
  if (code != SQLITE_OK) return std::unexpected(made->error(code).with_context(path));
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, 10'000);
  return made;
}

SqliteConnection::~SqliteConnection() {
  for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(db_);
}

Error SqliteConnection::error(int code) const {
  const std::string text =
      std::string("database: ") + (db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(code));
  switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
      return Error(Code::conflict, text);
    case SQLITE_FULL:
      return Error(Code::unavailable, "disk_full", text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
      return Error(Code::unavailable, text);
    case SQLITE_TOOBIG:
      return Error(Code::too_large, text);
    case SQLITE_INTERRUPT:
      return Error(Code::cancelled, text);
    default:
      return Error(Code::internal, text);
  }
}

void SqliteConnection::make_room() {
  for (auto it = statements_.begin();
       it != statements_.end() && statements_.size() >= kStatements;) {
    if (sqlite3_stmt_busy(it->second) != 0) {
      ++it;
      continue;
    }
    sqlite3_finalize(it->second);
    it = statements_.erase(it);
  }
}

Result<sqlite3_stmt*> SqliteConnection::statement(std::string_view sql,
                                                  std::span<const Value> values) {
  auto found = statements_.find(sql);
  if (found == statements_.end()) {
    make_room();
    sqlite3_stmt* made = nullptr;
    const int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &made, nullptr);
    if (code != SQLITE_OK) return std::unexpected(error(code).with_context(sql));
    found = statements_.emplace(std::string(sql), made).first;
  }
  int index = 0;
  for (const Value& value : values) {
    ++index;
    int code = SQLITE_OK;
    // The values outlive the run of the statement, so nothing is copied.
    if (const auto* number = std::get_if<int64_t>(&value)) {
      code = sqlite3_bind_int64(found->second, index, *number);
    } else if (const auto* real = std::get_if<double>(&value)) {
      code = sqlite3_bind_double(found->second, index, *real);
    } else if (const auto* text = std::get_if<std::string_view>(&value)) {
      code = sqlite3_bind_text64(found->second, index, text->data() != nullptr ? text->data() : "",
                                 text->size(), SQLITE_STATIC, SQLITE_UTF8);
    } else if (const auto* blob = std::get_if<ByteView>(&value)) {
      code = sqlite3_bind_blob64(found->second, index,
                                 blob->empty() ? "" : static_cast<const void*>(blob->data()),
                                 blob->size(), SQLITE_STATIC);
    } else {
      code = sqlite3_bind_null(found->second, index);
    }
    if (code != SQLITE_OK) return std::unexpected(error(code).with_context(sql));
  }
  return found->second;
}

Result<int64_t> SqliteConnection::run(std::string_view sql, std::span<const Value> values) {
  TRY(sqlite3_stmt * made, statement(sql, values));
  const Reset reset(made);
  int code = SQLITE_ROW;
  while (code == SQLITE_ROW) code = sqlite3_step(made);
  if (code != SQLITE_DONE) return std::unexpected(error(code));
  return sqlite3_changes64(db_);
}

Result<void> SqliteConnection::each(std::string_view sql, std::span<const Value> values,
                                    const std::function<bool(const Row&)>& row) {
  TRY(sqlite3_stmt * made, statement(sql, values));
  const Reset reset(made);
  for (;;) {
    const int code = sqlite3_step(made);
    if (code == SQLITE_DONE) return {};
    if (code != SQLITE_ROW) return std::unexpected(error(code));
    if (!row(SqliteRow(made))) return {};
  }
}

int64_t SqliteConnection::last_insert_id() const {
  return sqlite3_last_insert_rowid(db_);
}

Result<void> SqliteConnection::script(std::string_view sql) {
  const int code = sqlite3_exec(db_, std::string(sql).c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(error(code));
  return {};
}

}  // namespace holdfast::store
