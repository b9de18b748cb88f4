// Connections for reads on the callers' own threads. To begin and end a read costs as much as the
// read itself, so a connection that was used keeps its snapshot for the next reader, until
// something is committed.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "store/database/database.h"
#include "store/database/sqlite/connection.h"

namespace holdfast::store {

class Snapshots {
 public:
  explicit Snapshots(std::vector<std::unique_ptr<SqliteConnection>> connections);

  // Any thread. As FewRowsReader::read_here().
  std::optional<Result<void>> read(const std::function<Result<void>(Tx&)>& work);

  // The writer's thread: something was committed and is about to be acknowledged; who reads from
  // now on sees it.
  void committed();
  // The writer's thread: ends the snapshots that nobody uses at the moment. The log can only begin
  // anew where none holds it.
  void let_go();

 private:
  struct Reader {
    std::unique_ptr<SqliteConnection> connection;
    uint64_t commits = 0;  // at the latest so many when its snapshot was taken
  };
  static bool begun(const Reader& reader);
  static void end(Reader& reader);

  std::mutex mutex_;
  std::vector<Reader> free_;  // the last one used is the next
  std::atomic<uint64_t> commits_{0};
};

// One read on a connection that has none under way.
Result<void> run_guarded(SqliteConnection& connection,
                         const std::function<Result<void>(Tx&)>& work);

}  // namespace holdfast::store
