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
  const std::string path = directory_ + "/" + name_of(number_ + 1);
  TRY(Fd fd, open_file(path, O_RDWR | O_CREAT | O_EXCL, 0640));
  if (auto synced = sync_directory(directory_); !synced) {
    ::unlink(path.c_str());  // or the next try finds its name taken, and so does every one after it
    return synced;
  }
  writing_ = std::make_shared<Fd>(std::move(fd));
  const std::lock_guard lock(mutex_);
  open_[++number_] = writing_;
  end_ = 0;
  return {};
}

Result<void> Segments::write_group(std::vector<std::unique_ptr<Piece>>& pieces) {
  std::string all;
  uint64_t start = end_;
  for (auto& piece : pieces) {
    if (!writing_ || end_ >= limit_) {
      if (!all.empty()) {
        TRY_VOID(planted::write(writing_->get(), all, start));
        TRY_VOID(planted::sync(writing_->get()));
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
  auto written = planted::write(writing_->get(), all, start);
  if (written) written = planted::sync(writing_->get());
  {
    const std::lock_guard lock(mutex_);
    for (const auto& piece : pieces)
      staged_at_[piece->staged.segment] = std::chrono::steady_clock::now();
  }
  // What a failed write or sync left behind is unknown: nothing more goes into this file.
  if (!written) writing_.reset();
  return written;
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
