#include "store/objects/writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "base/digest.h"
#include "store/objects/planted.h"

namespace holdfast::store {

FileContentWriter::FileContentWriter(Segments& segments, BlockingPool& pool, const DiskSpace& space,
                                     std::string files, uint64_t small_limit)
    : segments_(segments),
      pool_(pool),
      space_(space),
      files_(std::move(files)),
      small_limit_(small_limit) {}

FileContentWriter::~FileContentWriter() {
  if (fd_ && !finished_) ::unlink(path().c_str());
}

Task<Result<void>> FileContentWriter::append(ByteView bytes) {
  staged_.size += bytes.size();
  if (!fd_ && staged_.size <= small_limit_) {
    small_.append(as_text(bytes));
    co_return Result<void>();
  }
  auto work = [this, bytes]() -> Result<void> {
    TRY_VOID(space_.has(bytes.size()));
    if (!fd_) {
      TRY_VOID(begin_file());
      TRY_VOID(put(as_bytes(small_)));
      small_.clear();
    }
    return put(bytes);
  };
  co_return co_await pool_.run(std::move(work));
}

Task<Result<StagedContent>> FileContentWriter::finish() {
  if (!fd_) co_return co_await segments_.append(std::move(small_));
  auto work = [this]() -> Result<StagedContent> {
    const std::string table = sums_.finish();
    staged_.crc = Crc64::of(as_bytes(table));
    TRY_VOID(write_all(fd_.get(), as_bytes(table)));
    TRY_VOID(sync_data(fd_.get()));
    TRY_VOID(sync_directory(std::filesystem::path(path()).parent_path()));
    TRY_VOID(planted::publish(path()));
    finished_ = true;
    return staged_;
  };
  co_return co_await pool_.run(std::move(work));
}

Result<void> FileContentWriter::begin_file() {
  const std::string name = hex(as_bytes(random_bytes(16)));
  staged_.file = name.substr(0, 2) + "/" + name;
  TRY_VOID(make_directories(files_ + "/" + name.substr(0, 2), 0750));
  TRY(fd_, open_file(path(), O_WRONLY | O_CREAT | O_EXCL, 0640));
  return {};
}

Result<void> FileContentWriter::put(ByteView bytes) {
  sums_.add(bytes);
  return write_all(fd_.get(), bytes);
}

}  // namespace holdfast::store
