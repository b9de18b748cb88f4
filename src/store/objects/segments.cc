#include "store/objects/segments.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "base/crc64.h"

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
  Result<std::unique_ptr<SegmentFile>> file = fail(Code::conflict, "");
  while (!file && file.error().code() == Code::conflict)
    file = SegmentFile::create(directory_ + "/" + name_of(++number), limit_);
  if (!file) return std::unexpected(file.error());
  if (auto synced = sync_directory(directory_); !synced) {
    ::unlink((directory_ + "/" + name_of(number)).c_str());
    return synced;
  }
  writing_ = std::move(*file);
  const std::lock_guard lock(mutex_);
  number_ = number;
  return {};
}

Result<void> Segments::write_out() {
  auto written = writing_->write();
  if (!writing_->usable()) writing_.reset();
  return written;
}

Result<void> Segments::write_group(std::vector<std::unique_ptr<Piece>>& pieces) {
  for (auto& piece : pieces) {
    if (!writing_ || writing_->end() >= limit_) {
      if (writing_) TRY_VOID(write_out());
      TRY_VOID(next_segment());
    }
    piece->staged.segment = number_;
    piece->staged.offset = writing_->end();
    writing_->add(as_bytes(piece->bytes));
  }
  {
    const std::lock_guard lock(mutex_);
    for (const auto& piece : pieces)
      staged_at_[piece->staged.segment] = std::chrono::steady_clock::now();
  }
  return write_out();
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
