// Immutable contents under ids, with counted references.
//
// Bytes are written first (small ones together into segments, large ones as files of their own).
// Then, inside the caller's own database transaction, add() makes the id, and the commit waits
// until the bytes are on disk: so a content and the row that needs it appear together or not at
// all. A content that no one holds is freed by sweep(). Bytes whose add() never committed are
// reclaimed at the next open.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/http/message.h"
#include "store/database/database.h"

namespace holdfast::store {

enum class ContentId : int64_t {};

enum class Checksum : int64_t { crc32 = 0, crc64 = 1 };  // crc32: of the first format, whole

// Bytes that have their place, but are in memory alone. Any thread.
class Unwritten {
 public:
  virtual ~Unwritten() = default;
  // Blocks until they are on disk, with all that wait for the same. unavailable "disk_full",
  // internal: they never will be.
  virtual Result<void> write() = 0;
};

// Bytes that no id refers to yet.
class StagedContent {
 public:
  StagedContent() = default;
  int64_t segment = 0;  // > 0: in that segment; 0: a file of its own, named `file`
  uint64_t offset = 0;
  uint64_t size = 0;
  Checksum sum = Checksum::crc64;
  uint64_t crc = 0;  // checksums.h says of what
  std::string file;
  int64_t id = 0;                        // once it has one
  std::shared_ptr<Unwritten> unwritten;  // none: they are on disk
};

// One writer, one task.
class ContentWriter {
 public:
  virtual ~ContentWriter() = default;  // unfinished: the bytes are dropped
  // unavailable "disk_full".
  virtual Task<Result<void>> append(ByteView bytes) = 0;
  // The bytes are on disk, or will be before a transaction commits that add()s them. A failed fsync
  // is `internal`, here or of that transaction, and the bytes are lost to the caller.
  virtual Task<Result<StagedContent>> finish() = 0;
};

// An open content: keeps its bytes readable even when the last reference goes meanwhile. Every byte
// is checked before it is given: internal "content_damaged", and the damage is told to the store.
class OpenContent {
 public:
  virtual ~OpenContent() = default;
  virtual uint64_t size() const = 0;
  // The stretches that hold [offset, offset + size), in order, each with its check; for sendfile.
  virtual http::FileRanges ranges(uint64_t offset, uint64_t size) const = 0;
  // Exactly these bytes. Blocking; for a few.
  virtual Result<void> read_now(uint64_t offset, std::span<std::byte> into) const = 0;
  // What is there from `offset` on, as far as it fits; 0 at the end.
  virtual Task<Result<size_t>> read(uint64_t offset, std::span<std::byte> into) const = 0;
};

// A place where stored bytes are not what was written. It is never served; it stays on record until
// its content goes.
struct Damage {
  ContentId content{};
  uint64_t at = 0;  // offset in the content
  WallTime found{};
  std::string what;
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  // `size_hint` nullopt: unknown. Any thread. unavailable "disk_full".
  virtual Task<Result<std::unique_ptr<ContentWriter>>> create(
      std::optional<uint64_t> size_hint) = 0;

  // Inside the caller's write transaction, on the database that this store was opened with.
  virtual Result<ContentId> add(Tx& tx, const StagedContent& staged) = 0;  // one reference
  // A content made of others in order, without copying; holds a reference on each. not_found.
  virtual Result<ContentId> concatenate(Tx& tx, const std::vector<ContentId>& parts) = 0;
  virtual Result<void> retain(Tx& tx, ContentId id) = 0;   // not_found
  virtual Result<void> release(Tx& tx, ContentId id) = 0;  // not_found

  // Finds the bytes inside a read transaction, so that the caller's row and its content are of one
  // snapshot.
  virtual Result<std::shared_ptr<OpenContent>> open(Tx& tx, ContentId id) = 0;  // not_found
  // Whole content against its checksums; internal where a byte changed.
  virtual Task<Result<void>> verify(ContentId id) = 0;
  // What reads and checks have found so far, at most `limit`.
  virtual Task<Result<std::vector<Damage>>> damages(size_t limit) = 0;
  // Frees what no one holds; returns bytes freed. Run from time to time by the owner.
  virtual Task<Result<uint64_t>> sweep() = 0;
};

struct FileObjectsOptions {
  std::string directory;                 // holds segments/ and files/
  uint64_t segment_limit = 64ull << 20;  // a new segment after this many bytes
  uint64_t small_limit = 256 << 10;      // larger contents are files of their own
  unsigned threads = 2;                  // for large contents
  uint64_t reserve = 0;                  // bytes of the disk that new contents leave free
};
// `database` must outlive the store; its tables are migrated here (component "objects").
Result<std::unique_ptr<ObjectStore>> open_file_objects(FileObjectsOptions options,
                                                       Database& database);

}  // namespace holdfast::store
