// A VFS for the writer's connection, through which a commit's frames go into the write-ahead log by
// one write, where SQLite makes two for each page. For sqlite/ alone.
#pragma once

#include "store/database/sqlite/connection.h"

namespace holdfast::store {

// What sqlite3_open_v2 takes as the VFS.
const char* log_file_vfs();

// While it lives, SQLite's sync of the connection's log ends with the bytes handed to the kernel:
// LogSync does the rest. Only for a commit, on a connection of that VFS. A log that begins anew is
// synced all the same, for else frames of its former life could follow those of the present one.
class DeferredSync {
 public:
  explicit DeferredSync(SqliteConnection& connection);
  ~DeferredSync();
  DeferredSync(const DeferredSync&) = delete;
  DeferredSync& operator=(const DeferredSync&) = delete;

 private:
  bool* deferred_ = nullptr;
};

}  // namespace holdfast::store
