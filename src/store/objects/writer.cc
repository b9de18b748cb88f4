#include "store/objects/writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/digest.h"
#include "base/seat.h"
#include "store/objects/part_memory.h"
#include "store/objects/planted.h"

namespace holdfast::store {
namespace {

// With two parts each: 32 MiB for those with a seat, as much for five hundred without.
constexpr size_t kLittlePart = 32 << 10;
Seats seats(32);

// A disk that has taken a lot into its memory takes long to sync: what comes first is synced while
// the rest is on its way. One at a time, for it is work of the whole disk.
constexpr uint64_t kSyncEvery = 16 << 20;
Seats syncs_ahead(1);

constexpr size_t kAlignment = 4096;  // of memory and offsets, for direct writes

class Part {
 public:
  explicit Part(size_t room)
      : bytes_(room == kPart ? Memory(take_part(), &give_part)
                             : Memory(std::aligned_alloc(kAlignment, room), &std::free)),
        room_(room) {}
  // Takes what fits; returns how much that was.
  size_t take(ByteView bytes) {
    const size_t count = std::min(bytes.size(), room_ - size_);
    std::memcpy(at(size_), bytes.data(), count);
    size_ += count;
    return count;
  }
  void clear() { size_ = 0; }
  bool full() const { return size_ == room_; }
  ByteView view() const { return {at(0), size_}; }

 private:
  using Memory = std::unique_ptr<void, void (*)(void*)>;
  std::byte* at(size_t offset) const { return static_cast<std::byte*>(bytes_.get()) + offset; }

  Memory bytes_;
  size_t room_, size_ = 0;
};

// How much a part of a content of `expected` bytes (0: nobody knows) holds.
size_t part_of(const Seat& seat, uint64_t expected) {
  if (!seat) return kLittlePart;
  if (expected == 0 || expected >= kPart) return kPart;
  return (expected + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

// Held by the writer and by the work under way on the pool, which has `writing` and all below it.
class FileContentWriter::File {
 public:
  File(const std::string& files, uint64_t expected)
      : filling(part_of(seat, expected)), writing(part_of(seat, expected)) {
    const std::string name = hex(as_bytes(random_bytes(16)));
    staged_.file = name.substr(0, 2) + "/" + name;
    path_ = files + "/" + staged_.file;
  }
  ~File() {
    if (fd_ && !finished_) ::unlink(path_.c_str());
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const Seat seat{seats};
  Part filling;  // the writer's
  Part writing;

  Result<void> put(const DiskSpace& space) {
    const ByteView bytes = writing.view();
    TRY_VOID(space.has(bytes.size()));
    if (!fd_) {
      TRY_VOID(make_directories(folder(), 0750));
      TRY(fd_, open_file(path_, O_WRONLY | O_CREAT | O_EXCL, 0640));
    }
    sums_.add(bytes);
    if (bytes.size() < kPart || !put_directly(bytes)) {
      TRY_VOID(through_cache(bytes));
    }
    staged_.size += bytes.size();
    return {};
  }

  // Of what was put; together with a put() of what comes.
  Result<void> sync() const { return sync_data(fd_.get()); }

  Result<StagedContent> finish() {
    const std::string table = sums_.finish();
    staged_.crc = Crc64::of(as_bytes(table));
    TRY_VOID(through_cache(as_bytes(table)));
    TRY_VOID(sync());
    TRY_VOID(sync_directory(folder()));
    TRY_VOID(planted::publish(path_));
    finished_ = true;
    return staged_;
  }

 private:
  std::filesystem::path folder() const { return std::filesystem::path(path_).parent_path(); }
  bool direct(bool on) {
    const int flags = ::fcntl(fd_.get(), F_GETFL);
    return ::fcntl(fd_.get(), F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
  }
  // Past the page cache: copying into pages that nothing used before costs several times the write.
  // False: not all of it was written. Not every file system can.
  bool put_directly(ByteView bytes) {
    if (!direct(true)) return false;
    const auto at = static_cast<off_t>(staged_.size);
    const ssize_t count = ::pwrite(fd_.get(), bytes.data(), bytes.size(), at);
    return count == static_cast<ssize_t>(bytes.size());
  }
  Result<void> through_cache(ByteView bytes) {
    (void)direct(false);  // where it stays, the write fails
    return write_all(fd_.get(), bytes, static_cast<int64_t>(staged_.size));
  }

  std::string path_;
  Fd fd_;
  StagedContent staged_;
  BlockSums sums_;
  bool finished_ = false;
};

FileContentWriter::FileContentWriter(Segments& segments, BlockingPool& pool, const DiskSpace& space,
                                     std::string files, uint64_t small_limit, uint64_t expected)
    : segments_(segments),
      pool_(pool),
      space_(space),
      files_(std::move(files)),
      small_limit_(small_limit),
      expected_(expected) {}

FileContentWriter::~FileContentWriter() = default;

Task<Result<void>> FileContentWriter::append(ByteView bytes) {
  size_ += bytes.size();
  if (size_ <= small_limit_ && expected_ <= small_limit_) {
    small_.reserve(std::max<uint64_t>(size_, expected_));
    small_.append(as_text(bytes));
    co_return Result<void>();
  }
  if (!file_) {
    file_ = std::make_shared<File>(files_, expected_);
    const std::string first = std::move(small_);
    CO_TRY_VOID(co_await fill(as_bytes(first)));
  }
  co_return co_await fill(bytes);
}

Task<Result<void>> FileContentWriter::fill(ByteView bytes) {
  while (!bytes.empty()) {
    bytes = bytes.subspan(file_->filling.take(bytes));
    if (file_->filling.full()) {
      CO_TRY_VOID(co_await hand_over());
    }
  }
  co_return Result<void>();
}

// The part goes to the disk once the one before it did.
Task<Result<void>> FileContentWriter::hand_over() {
  CO_TRY_VOID(co_await writing_.wait());
  if (unsynced_ >= kSyncEvery) {
    CO_TRY_VOID(co_await sync_ahead());
  }
  std::swap(file_->filling, file_->writing);
  file_->filling.clear();
  unsynced_ += file_->writing.view().size();
  writing_.start(pool_, [file = file_, &space = space_] { return file->put(space); });
  co_return Result<void>();
}

Task<Result<void>> FileContentWriter::sync_ahead() {
  const auto turn = std::make_shared<const Seat>(syncs_ahead);
  if (!*turn) co_return Result<void>();
  CO_TRY_VOID(co_await syncing_.wait());  // its last one, which has given back its turn
  unsynced_ = 0;
  syncing_.start(pool_, [file = file_, turn] { return file->sync(); });
  co_return Result<void>();
}

Task<Result<StagedContent>> FileContentWriter::finish() {
  if (!file_) co_return segments_.append(std::move(small_));
  if (!file_->filling.view().empty()) {
    CO_TRY_VOID(co_await hand_over());
  }
  CO_TRY_VOID(co_await writing_.wait());
  CO_TRY_VOID(co_await syncing_.wait());  // the system tells of a failed sync only once
  auto work = [file = file_] { return file->finish(); };
  co_return co_await pool_.run(std::move(work));
}

}  // namespace holdfast::store
