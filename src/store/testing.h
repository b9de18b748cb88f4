// A folder of its own for a test, and a disk whose syncs are held up or fail.
#pragma once

#include <atomic>
#include <filesystem>

#include "base/digest.h"
#include "store/database/database.h"

namespace holdfast::store {

struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("store_test." + hex(as_bytes(random_bytes(6))));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
};

// This program's own fdatasync(), which takes the place of the C library's (own_sync_test.cc).
namespace own_sync {
extern std::atomic<bool> held, failing;
extern std::atomic<int> calls, failures;
}  // namespace own_sync

// Rows of the table `t`.
inline Result<int64_t> count(Tx& tx) {
  int64_t rows = 0;
  TRY_VOID(tx.each("SELECT count(*) FROM t", {}, [&](const Row& row) {
    rows = row.integer(0);
    return false;
  }));
  return rows;
}

}  // namespace holdfast::store
