#include "store/objects/segments.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/crc64.h"

namespace holdfast::store {
namespace {

constexpr size_t kOpenFiles = 256;
// Longer than any caller takes from finish() to the commit of its add().
constexpr auto kStagedFor = std::chrono::hours(1);

}  // namespace

struct Segments::Piece : Unwritten {
  std::shared_ptr<Segments> segments;  // it may outlive the store
  int64_t segment = 0;
  uint64_t offset = 0;
  std::string bytes;
  std::optional<Result<void>> outcome;  // under the lock
  Result<void> write() override { return segments->write(*this); }
};

Segments::Segments(std::string directory, uint64_t limit, int64_t last)
    : directory_(std::move(directory)), limit_(limit), number_(last), end_(limit) {}

std::string Segments::name_of(int64_t number) {
  char name[32];
  std::snprintf(name, sizeof name, "%010lld.seg", static_cast<long long>(number));
  return name;
}

StagedContent Segments::append(std::string bytes) {
  auto piece = std::make_shared<Piece>();
  piece->segments = shared_from_this();
  StagedContent staged;
  staged.size = bytes.size();
  staged.crc = Crc64::of(as_bytes(bytes));
  piece->bytes = std::move(bytes);
  const std::lock_guard lock(mutex_);
  if (end_ >= limit_) {
    // A file of that number may be left from a stop before anything in it was added.
    std::error_code error;
    do ++number_;
    while (std::filesystem::exists(directory_ + "/" + name_of(number_), error));
    end_ = 0;
  }
  staged.segment = piece->segment = number_;
  staged.offset = piece->offset = std::exchange(end_, end_ + staged.size);
  staged_at_[number_] = std::chrono::steady_clock::now();
  // Those of refused requests go with the next write; where none comes, here.
  if (waiting_.size() >= 1024 && waiting_.size() == waiting_.capacity())
    std::erase_if(waiting_, [](const auto& waiting) { return waiting.expired(); });
  waiting_.push_back(piece);
  staged.unwritten = std::move(piece);
  return staged;
}

// Under the lock.
Segments::Pieces Segments::take_waiting() {
  Pieces pieces;
  for (const auto& waiting : std::exchange(waiting_, {})) {
    if (auto piece = waiting.lock()) pieces.push_back(std::move(piece));
  }
  return pieces;
}

Result<void> Segments::write(const Piece& wanted) {
  std::unique_lock lock(mutex_);
  while (!wanted.outcome) {
    if (writing_) {
      written_.wait(lock);
      continue;
    }
    writing_ = true;
    Pieces pieces = take_waiting();
    lock.unlock();
    const Result<void> done = write_all(pieces);
    lock.lock();
    writing_ = false;
    if (!done) {
      // What came meanwhile has its place behind what is not there; the next one begins a segment.
      for (auto& piece : take_waiting()) pieces.push_back(std::move(piece));
      file_.reset();
      end_ = limit_;
    }
    for (const auto& piece : pieces) piece->outcome = done;
    written_.notify_all();
  }
  return *wanted.outcome;
}

Result<void> Segments::begin_segment(int64_t number) {
  const std::string path = directory_ + "/" + name_of(number);
  file_.reset();
  TRY(file_, SegmentFile::create(path, limit_));
  file_number_ = number;
  if (auto synced = sync_directory(directory_); !synced) {
    ::unlink(path.c_str());
    return synced;
  }
  return {};
}

Result<void> Segments::write_all(const Pieces& pieces) {
  for (const auto& piece : pieces) {
    if (!file_ || piece->segment != file_number_) {
      if (file_) TRY_VOID(file_->write());
      TRY_VOID(begin_segment(piece->segment));
    }
    file_->add(as_bytes(piece->bytes), piece->offset);
  }
  return file_->write();
}

Result<std::shared_ptr<Fd>> Segments::file(int64_t number) {
  {
    const std::lock_guard lock(mutex_);
    if (auto found = open_.find(number); found != open_.end()) return found->second;
  }
  TRY(Fd fd, open_file(directory_ + "/" + name_of(number), O_RDONLY));
  auto shared = std::make_shared<Fd>(std::move(fd));
  const std::lock_guard lock(mutex_);
  if (open_.size() >= kOpenFiles) open_.erase(open_.begin());
  open_[number] = shared;
  return shared;
}

bool Segments::remove(int64_t number) {
  const std::lock_guard lock(mutex_);
  const auto staged = staged_at_.find(number);
  const bool fresh =
      staged != staged_at_.end() && std::chrono::steady_clock::now() - staged->second < kStagedFor;
  if (number == number_ || fresh) return false;
  ::unlink((directory_ + "/" + name_of(number)).c_str());
  open_.erase(number);
  staged_at_.erase(number);
  return true;
}

int64_t Segments::current() const {
  const std::lock_guard lock(mutex_);
  return number_;
}

}  // namespace holdfast::store
