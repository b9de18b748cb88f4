// Connections for reads on the callers' own threads. To begin and end a read costs as much as the
// read itself, so a connection that was used keeps its snapshot for the next reader, until a later
// commit is on disk.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "store/database/few_rows.h"
#include "store/database/sqlite/commits.h"
#include "store/database/sqlite/connection.h"

namespace holdfast::store {

class Snapshots {
 public:
  Snapshots(std::vector<std::unique_ptr<SqliteConnection>> connections, const Commits& commits);

  // Any thread. As FewRowsReader::read_here().
  std::optional<HereRead> read(const std::function<Result<void>(Tx&)>& work);

  // Any thread: ends the snapshots that nobody uses at the moment. The log can only begin anew
  // where none holds it.
  void let_go();
  // A later commit is durable: the snapshots that somebody used are taken anew. Where the writer
  // makes no other commit meanwhile, their next readers need not wait for a sync.
  void renew();

 private:
  struct Reader {
    std::unique_ptr<SqliteConnection> connection;
    // Of its snapshot: it has all up to `has`, and none after `seen`.
    uint64_t has = 0, seen = 0;
    bool used = false;
  };
  static bool begun(const Reader& reader);
  Result<void> begin(Reader& reader) const;
  static void end(Reader& reader);

  std::mutex mutex_;
  std::vector<Reader> free_;  // the last one used is the next
  const Commits& commits_;
};

// One read on a connection that has none under way.
Result<void> run_guarded(SqliteConnection& connection,
                         const std::function<Result<void>(Tx&)>& work);

}  // namespace holdfast::store
