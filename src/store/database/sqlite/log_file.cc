#include "store/database/sqlite/log_file.h"

#include <sqlite3.h>

#include <string>

namespace holdfast::store {
namespace {

constexpr size_t kMost = 120 << 10;  // SQLite's own VFS writes no 128 KiB at once

// SQLite gives the room for it and for the file below, which lies behind it.
struct LogFile {
  sqlite3_file base;
  sqlite3_file* below;
  std::string* bytes;  // what follows `start` and is not written yet
  sqlite3_int64 start;
  bool header_written;  // since the last sync
  bool deferred;
};

LogFile& log_file(sqlite3_file* file) {
  return *reinterpret_cast<LogFile*>(file);
}

int flush(LogFile& log) {
  if (log.bytes->empty()) return SQLITE_OK;
  const int code = log.below->pMethods->xWrite(log.below, log.bytes->data(),
                                               static_cast<int>(log.bytes->size()), log.start);
  if (log.start == 0) log.header_written = true;
  log.bytes->clear();
  return code;
}

int close(sqlite3_file* file) {
  LogFile& log = log_file(file);
  const int written = flush(log);
  const int closed = log.below->pMethods->xClose(log.below);
  delete log.bytes;
  return written != SQLITE_OK ? written : closed;
}

int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 at) {
  LogFile& log = log_file(file);
  const size_t buffered = log.bytes->size();
  if (at != log.start + static_cast<sqlite3_int64>(buffered) ||
      buffered + static_cast<size_t>(size) > kMost) {
    if (const int code = flush(log); code != SQLITE_OK) return code;
    log.start = at;
  }
  log.bytes->append(static_cast<const char*>(bytes), static_cast<size_t>(size));
  return SQLITE_OK;
}

int sync(sqlite3_file* file, int flags) {
  LogFile& log = log_file(file);
  if (const int code = flush(log); code != SQLITE_OK) return code;
  if (log.deferred && !log.header_written) return SQLITE_OK;
  const int code = log.below->pMethods->xSync(log.below, flags);
  if (code == SQLITE_OK) log.header_written = false;
  return code;
}

// The method of the file below, as it is.
template <auto method, class... Arguments>
int pass(sqlite3_file* file, Arguments... arguments) {
  sqlite3_file* const below = log_file(file).below;
  return (below->pMethods->*method)(below, arguments...);
}

// The same, once the file has all that was written.
template <auto method, class... Arguments>
int flush_and_pass(sqlite3_file* file, Arguments... arguments) {
  if (const int code = flush(log_file(file)); code != SQLITE_OK) return code;
  return pass<method>(file, arguments...);
}

using Io = sqlite3_io_methods;
constexpr Io kMethods = {
    .iVersion = 1,
    .xClose = close,
    .xRead = flush_and_pass<&Io::xRead>,
    .xWrite = write,
    .xTruncate = flush_and_pass<&Io::xTruncate>,
    .xSync = sync,
    .xFileSize = flush_and_pass<&Io::xFileSize>,
    .xLock = pass<&Io::xLock>,
    .xUnlock = pass<&Io::xUnlock>,
    .xCheckReservedLock = pass<&Io::xCheckReservedLock>,
    .xFileControl = pass<&Io::xFileControl>,
    .xSectorSize = pass<&Io::xSectorSize>,
    .xDeviceCharacteristics = pass<&Io::xDeviceCharacteristics>,
};

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
  auto* const usual = static_cast<sqlite3_vfs*>(vfs->pAppData);
  if ((flags & SQLITE_OPEN_WAL) == 0) return usual->xOpen(usual, name, file, flags, out);
  LogFile& log = log_file(file);
  log = LogFile();
  log.below = reinterpret_cast<sqlite3_file*>(&log + 1);
  const int code = usual->xOpen(usual, name, log.below, flags, out);
  if (code != SQLITE_OK) return code;  // without methods, SQLite does not close it
  log.bytes = new std::string();
  log.base.pMethods = &kMethods;
  return SQLITE_OK;
}

}  // namespace

const char* log_file_vfs() {
  static sqlite3_vfs* const made = [] {
    static sqlite3_vfs vfs;
    sqlite3_vfs* const usual = sqlite3_vfs_find(nullptr);
    vfs = *usual;
    vfs.pNext = nullptr;
    vfs.zName = "holdfast-log";
    vfs.pAppData = usual;
    vfs.szOsFile = static_cast<int>(sizeof(LogFile)) + usual->szOsFile;
    vfs.xOpen = open;
    sqlite3_vfs_register(&vfs, 0);
    return &vfs;
  }();
  return made->zName;
}

DeferredSync::DeferredSync(SqliteConnection& connection) {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(connection.native(), "main", SQLITE_FCNTL_JOURNAL_POINTER,
                       static_cast<void*>(&file));
  if (file == nullptr || file->pMethods != &kMethods) return;
  deferred_ = &log_file(file).deferred;
  *deferred_ = true;
}

DeferredSync::~DeferredSync() {
  if (deferred_ != nullptr) *deferred_ = false;
}

}  // namespace holdfast::store
