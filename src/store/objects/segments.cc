#include "store/objects/segments.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "base/crc64.h"
#include "store/objects/planted.h"

namespace holdfast::store {
namespace {

constexpr size_t kOpenFiles = 256;
// Longer than any caller takes from finish() to the commit of its add().
constexpr auto kStagedFor = std::chrono::hours(1);

}  // namespace

Segments::Segments(std::string directory, uint64_t limit, int64_t last)
    : directory_(std::move(directory)),
      limit_(limit),
      number_(last),
      writer_([this](std::vector<std::unique_ptr<Piece>>& pieces) { return write_group(pieces); }) {
}

std::string Segments::name_of(int64_t number) {
  char name[32];
  std::snprintf(name, sizeof name, "%010lld.seg", static_cast<long long>(number));
  return name;
}

Task<Result<StagedContent>> Segments::append(std::string bytes) {
  auto piece = std::make_unique<Piece>();
  piece->staged.size = bytes.size();
  piece->staged.crc = Crc64::of(as_bytes(bytes));
  piece->bytes = std::move(bytes);
  CO_TRY(piece, co_await writer_.write(std::move(piece)));
  co_return std::move(piece->staged);
}

Result<void> Segments::next_segment() {
  // A file of that number may be left from a stop before anything in it was added.
  int64_t number = number_;
  Result<Fd> fd = fail(Code::conflict, "");
  while (!fd && fd.error().code() == Code::conflict)
    fd = open_file(directory_ + "/" + name_of(++number), O_RDWR | O_CREAT | O_EXCL, 0640);
  if (!fd) return std::unexpected(fd.error());
  if (auto synced = sync_directory(directory_); !synced) {
    ::unlink((directory_ + "/" + name_of(number)).c_str());
    return synced;
  }
  writing_ = std::make_shared<Fd>(std::move(*fd));
  const std::lock_guard lock(mutex_);
  number_ = number;
  open_[number_] = writing_;
  end_ = 0;
  return {};
}

// `bytes` at `start`, durable.
Result<void> Segments::write_out(const std::string& bytes, uint64_t start) {
  auto written = planted::write(writing_->get(), bytes, start);
  if (written) written = planted::sync(writing_->get());
  if (written) return written;
  // On a full disk the group is cut off again, and the file goes on once there is space. What
  // another failure left behind is unknown: nothing more goes into this file.
  if (written.error().reason() == "disk_full" &&
      ::ftruncate(writing_->get(), static_cast<off_t>(start)) == 0) {
    end_ = start;
  } else {
    writing_.reset();
  }
  return written;
}

Result<void> Segments::write_group(std::vector<std::unique_ptr<Piece>>& pieces) {
  std::string all;
  uint64_t start = end_;
  for (auto& piece : pieces) {
    if (!writing_ || end_ >= limit_) {
      if (!all.empty()) {
        TRY_VOID(write_out(all, start));
        all.clear();
      }
      TRY_VOID(next_segment());
      start = 0;
    }
    piece->staged.segment = number_;
    piece->staged.offset = end_;
    end_ += piece->bytes.size();
    all += piece->bytes;
  }
  {
    const std::lock_guard lock(mutex_);
    for (const auto& piece : pieces)
      staged_at_[piece->staged.segment] = std::chrono::steady_clock::now();
  }
  return write_out(all, start);
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
