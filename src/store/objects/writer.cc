#include "store/objects/writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <vector>

#include "base/digest.h"
#include "base/seat.h"
#include "store/objects/part_memory.h"
#include "store/objects/planted.h"

namespace holdfast::store {
namespace {

// With two parts each: 32 MiB for those with a seat, as much for five hundred without.
constexpr size_t kLittlePart = 32 << 10, kParts = 2;
Seats seats(32);

// A disk that has taken a lot into its memory takes long to sync: so that little is left to sync at
// the end, it is done on the way. One at a time, for it is work of the whole disk, which then often
// writes nothing: what comes meanwhile waits in further parts, of which there are 16 MiB for all.
constexpr uint64_t kSyncEvery = 8 << 20;
Seats syncs_on_the_way(1);
constexpr size_t kMostParts = 26;
Seats further_parts(32);

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

// Held by the writer and by the work under way on the pool, which has put() and all below it.
class FileContentWriter::File {
 public:
  File(const std::string& files, uint64_t expected) : room_(part_of(seat_, expected)) {
    for (size_t i = 0; i < kParts; ++i) parts_.push_back(std::make_unique<Part>(room_));
    const std::string name = hex(as_bytes(random_bytes(16)));
    staged_.file = name.substr(0, 2) + "/" + name;
    path_ = files + "/" + staged_.file;
  }
  ~File() {
    if (fd_ && !finished_) ::unlink(path_.c_str());
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // The parts are filled, and go to the disk, in turn.
  Part& filling() { return *parts_[at_]; }
  size_t parts() const { return parts_.size(); }
  void next() {
    at_ = (at_ + 1) % parts_.size();
    parts_[at_]->clear();
  }
  // One more, to be filled next, where there may be.
  void grow() {
    if (room_ != kPart || parts_.size() == kMostParts) return;
    if (further_.emplace_back(further_parts)) {
      const auto next = parts_.begin() + static_cast<ptrdiff_t>(at_) + 1;
      parts_.insert(next, std::make_unique<Part>(room_));
    } else {
      further_.pop_back();
    }
  }

  Result<void> put(ByteView bytes, const DiskSpace& space) {
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
    unsynced_ += bytes.size();
    return unsynced_ < kSyncEvery ? Result<void>() : sync_on_the_way();
  }

  Result<StagedContent> finish() {
    const std::string table = sums_.finish();
    staged_.crc = Crc64::of(as_bytes(table));
    TRY_VOID(through_cache(as_bytes(table)));
    TRY_VOID(sync_data(fd_.get()));
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
  Result<void> sync_on_the_way() {
    const Seat turn(syncs_on_the_way);
    if (!turn) return {};
    unsynced_ = 0;
    return sync_data(fd_.get());
  }

  const Seat seat_{seats};
  const size_t room_;  // of a part
  std::vector<std::unique_ptr<Part>> parts_;
  size_t at_ = 0;
  std::deque<Seat> further_;

  std::string path_;
  Fd fd_;
  StagedContent staged_;
  BlockSums sums_;
  uint64_t unsynced_ = 0;
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
    bytes = bytes.subspan(file_->filling().take(bytes));
    if (file_->filling().full()) {
      CO_TRY_VOID(co_await hand_over());
    }
  }
  co_return Result<void>();
}

Task<Result<void>> FileContentWriter::hand_over() {
  auto put = [file = file_, bytes = file_->filling().view(), &space = space_] {
    return file->put(bytes, space);
  };
  writing_.start(pool_, std::move(put));
  if (writing_.left() == file_->parts()) file_->grow();
  CO_TRY_VOID(co_await writing_.wait(file_->parts() - 1));
  file_->next();
  co_return Result<void>();
}

Task<Result<StagedContent>> FileContentWriter::finish() {
  if (!file_) co_return segments_.append(std::move(small_));
  if (!file_->filling().view().empty()) {
    CO_TRY_VOID(co_await hand_over());
  }
  CO_TRY_VOID(co_await writing_.wait());
  auto work = [file = file_] { return file->finish(); };
  co_return co_await pool_.run(std::move(work));
}

}  // namespace holdfast::store
