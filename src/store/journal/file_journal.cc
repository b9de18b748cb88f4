#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/digest.h"
#include "base/files.h"
#include "store/group_sync.h"
#include "store/journal/journal.h"

namespace holdfast::store {
namespace {

namespace fs = std::filesystem;

// A record is: length (u32), CRC-32 of what follows it (u32), sequence (u64), bytes; little endian.
constexpr size_t kHead = 16;

std::string frame(Sequence sequence, std::string_view record) {
  std::string out(kHead, '\0');
  out += record;
  const auto length = static_cast<uint32_t>(record.size());
  std::memcpy(out.data() + 8, &sequence, 8);
  std::memcpy(out.data(), &length, 4);
  const uint32_t crc = crc32(as_bytes(std::string_view(out).substr(8)));
  std::memcpy(out.data() + 4, &crc, 4);
  return out;
}

struct Frame {
  Sequence sequence = 0;
  std::string_view record;
};

// The frame at the front of `bytes`; nullopt where there is no whole, right one.
std::optional<Frame> parse(std::string_view bytes) {
  if (bytes.size() < kHead) return std::nullopt;
  uint32_t length = 0, crc = 0;
  Frame out;
  std::memcpy(&length, bytes.data(), 4);
  std::memcpy(&crc, bytes.data() + 4, 4);
  std::memcpy(&out.sequence, bytes.data() + 8, 8);
  if (length > kRecordLimit || bytes.size() - kHead < length) return std::nullopt;
  if (crc32(as_bytes(bytes.substr(8, 8 + length))) != crc) return std::nullopt;
  out.record = bytes.substr(kHead, length);
  return out;
}

// True where a whole record with a later number still follows: then the damage before it is not a
// torn tail. The number is looked at first, because a checksum at every byte would cost the square
// of the tail.
bool more_follows(std::string_view bytes, Sequence after) {
  for (size_t at = 1; at + kHead <= bytes.size(); ++at) {
    Sequence sequence = 0;
    std::memcpy(&sequence, bytes.data() + at + 8, 8);
    if (sequence > after && sequence < after + 100'000 && parse(bytes.substr(at))) return true;
  }
  return false;
}

class FileJournal final : public Journal {
 public:
  explicit FileJournal(FileJournalOptions options)
      : options_(std::move(options)), writer_([this](std::vector<std::unique_ptr<Entry>>& entries) {
          return write_group(entries);
        }) {}

  // Reads what is there; cuts a torn tail off the last segment.
  Result<void> load() {
    TRY_VOID(make_directories(options_.directory, 0750));
    if (auto text = read_file(options_.directory + "/trimmed", 64)) {
      const auto number = parse_u64(*text);
      if (!number) return fail(Code::internal, options_.directory + "/trimmed is damaged");
      trimmed_ = *number;
    } else if (text.error().code() != Code::not_found) {
      return std::unexpected(text.error());
    }
    for (const auto& file : fs::directory_iterator(options_.directory)) {
      if (file.path().extension() == ".log")
        segments_[parse_u64(file.path().stem().string()).value_or(0)] = file.path();
    }
    last_ = trimmed_;
    for (auto it = segments_.begin(); it != segments_.end(); ++it) {
      const bool is_last = std::next(it) == segments_.end();
      TRY(const std::string bytes, read_file(it->second, UINT64_MAX));
      size_t at = 0;
      while (const auto found = parse(std::string_view(bytes).substr(at))) {
        // Records follow on without holes; those before the first one that is kept may be gone.
        if (found->sequence > trimmed_ && found->sequence != last_ + 1) {
          return fail(Code::internal,
                      it->second + ": record " + std::to_string(last_ + 1) + " is missing");
        }
        last_ = std::max(last_.load(), found->sequence);
        at += kHead + found->record.size();
      }
      if (at == bytes.size()) continue;
      if (!is_last || more_follows(std::string_view(bytes).substr(at), last_)) {
        return fail(Code::internal, it->second + " is damaged at byte " + std::to_string(at));
      }
      TRY(const Fd fd, open_file(it->second, O_WRONLY));
      if (::ftruncate(fd.get(), static_cast<off_t>(at)) != 0 || ::fsync(fd.get()) != 0)
        return std::unexpected(errno_error(errno, it->second));
    }
    return {};
  }

  Task<Result<Sequence>> append(std::string record) override {
    if (record.size() > kRecordLimit)
      co_return fail(Code::too_large, "a journal record is at most " + format_size(kRecordLimit));
    auto entry = std::make_unique<Entry>();
    entry->record = std::move(record);
    CO_TRY(entry, co_await writer_.write(std::move(entry)));
    co_return entry->sequence;
  }

  Result<void> replay(
      const std::function<Result<void>(Sequence, std::string_view)>& each) override {
    for (const auto& [first, path] : segments_) {
      TRY(const std::string bytes, read_file(path, UINT64_MAX));
      size_t at = 0;
      while (const auto found = parse(std::string_view(bytes).substr(at))) {
        if (found->sequence > trimmed_) TRY_VOID(each(found->sequence, found->record));
        at += kHead + found->record.size();
      }
    }
    return {};
  }

  Task<Result<void>> trim(Sequence upto) override {
    auto entry = std::make_unique<Entry>();
    entry->trim = upto;
    CO_TRY(entry, co_await writer_.write(std::move(entry)));
    co_return Result<void>();
  }

  Sequence last() const override { return last_; }

 private:
  struct Entry {
    std::string record;
    Sequence sequence = 0, trim = 0;
  };

  Result<void> write_group(std::vector<std::unique_ptr<Entry>>& entries) {
    if (broken_)
      return fail(Code::internal, "the journal failed to write before; restart to reopen it");
    std::string all;
    Sequence trim_to = 0;
    Sequence next = last_;
    for (auto& entry : entries) {
      if (entry->trim > 0) {
        trim_to = std::max(trim_to, entry->trim);
      } else {
        entry->sequence = ++next;
        all += frame(entry->sequence, entry->record);
      }
    }
    if (!all.empty()) {
      auto written = put(all);
      if (!written) {
        broken_ = true;
        return written;
      }
      last_ = next;
    }
    return trim_to > trimmed_ ? drop(std::min<Sequence>(trim_to, last_)) : Result<void>();
  }

  Result<void> put(const std::string& bytes) {
    if (!fd_ || size_ >= options_.segment_limit) {
      char name[40];
      std::snprintf(name, sizeof name, "/%020llu.log", static_cast<unsigned long long>(last_ + 1));
      const std::string path = options_.directory + name;
      // A segment of this name can only be one that holds no record: the tail that was cut off.
      TRY(fd_, open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0640));
      TRY_VOID(sync_directory(options_.directory));
      segments_[last_ + 1] = path;
      size_ = 0;
    }
    TRY_VOID(write_all(fd_.get(), as_bytes(bytes)));
    size_ += bytes.size();
    return sync_data(fd_.get());
  }

  Result<void> drop(Sequence upto) {
    TRY_VOID(replace_file(options_.directory + "/trimmed", as_bytes(std::to_string(upto)), 0640));
    trimmed_ = upto;
    // A segment may go when the one after it begins at or before the first record that is kept.
    while (segments_.size() > 1 && std::next(segments_.begin())->first <= upto + 1) {
      ::unlink(segments_.begin()->second.c_str());
      segments_.erase(segments_.begin());
    }
    return {};
  }

  const FileJournalOptions options_;
  std::map<Sequence, std::string>
      segments_;  // first sequence → path; the writer's thread after load()
  std::atomic<Sequence> last_{0};
  Sequence trimmed_ = 0;
  Fd fd_;
  uint64_t size_ = 0;
  bool broken_ = false;
  GroupWriter<Entry> writer_;
};

}  // namespace

Result<std::unique_ptr<Journal>> open_file_journal(FileJournalOptions options) {
  auto journal = std::make_unique<FileJournal>(std::move(options));
  TRY_VOID(journal->load());
  return journal;
}

}  // namespace holdfast::store
