// A durable log of records: appended with grouped fdatasync, replayed at open, trimmed at the
// front.
//
// Each record carries a sequence number (from 1, without holes), its length and a CRC. A torn
// record at the very end (power lost while writing) is cut off; damage before the end is
// `internal`, never skipped.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "net/task.h"

namespace holdfast::store {

using Sequence = uint64_t;
constexpr size_t kRecordLimit = 16 << 20;  // bytes of one record

// Any thread may call.
class Journal {
 public:
  virtual ~Journal() = default;
  // Returns when the record is on disk. unavailable: disk full. After a failed fsync every append
  // fails with `internal` until the journal is opened again. too_large over 16 MiB.
  virtual Task<Result<Sequence>> append(std::string record) = 0;
  // Every record that is kept, oldest first. Blocking; for start-up. Stops at an error of `each`.
  virtual Result<void> replay(
      const std::function<Result<void>(Sequence, std::string_view)>& each) = 0;
  // Records up to and including `upto` are no longer needed; whole segments of them are deleted.
  virtual Task<Result<void>> trim(Sequence upto) = 0;
  virtual Sequence last() const = 0;  // 0: none yet
};

struct FileJournalOptions {
  std::string directory;
  uint64_t segment_limit = 16 << 20;
};
Result<std::unique_ptr<Journal>> open_file_journal(FileJournalOptions options);

}  // namespace holdfast::store
