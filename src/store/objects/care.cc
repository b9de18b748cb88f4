#include "store/objects/care.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>

#include "base/disk_space.h"
#include "store/objects/checksums.h"
#include "store/objects/content_index.h"
#include "store/objects/segments.h"

namespace holdfast::store {
namespace {

namespace fs = std::filesystem;

constexpr size_t kGroup = 500;
constexpr size_t kFindings = 1000;
constexpr auto kYoung = std::chrono::hours(1);  // may still become a content

struct FileSize {
  uint64_t count = 0, bytes = 0;
};
FileSize sizes_under(const fs::path& directory) {
  FileSize out;
  std::error_code error;
  for (fs::recursive_directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    if (!at->is_regular_file(error)) continue;
    ++out.count;
    out.bytes += at->file_size(error);
  }
  return out;
}

struct FoundFile {
  std::string name;  // in the store's directory
  int64_t segment = 0;
  uint64_t size = 0;
};
// Files that are old enough to be somebody's.
std::vector<FoundFile> old_files(const std::string& directory, const std::string& folder) {
  std::vector<FoundFile> out;
  std::error_code error;
  const auto limit = std::chrono::system_clock::now() - kYoung;
  for (const auto& file : fs::directory_iterator(directory + "/" + folder, error)) {
    struct stat info{};
    if (::stat(file.path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    if (std::chrono::system_clock::from_time_t(info.st_mtime) > limit) continue;
    FoundFile found;
    found.name = folder + "/" + file.path().filename().string();
    if (folder == "segments")
      found.segment = static_cast<int64_t>(parse_u64(file.path().stem().string()).value_or(0));
    found.size = static_cast<uint64_t>(info.st_size);
    out.push_back(std::move(found));
  }
  return out;
}

void add_finding(StorageCheck& check, StorageFinding finding) {
  uint64_t& count = finding.kind == "missing"   ? check.missing
                    : finding.kind == "damaged" ? check.damaged
                                                : check.orphaned;
  ++count;
  if (check.findings.size() < kFindings) check.findings.push_back(std::move(finding));
}

}  // namespace

ContentCare::ContentCare(std::string directory, Database& database, const Clock& clock,
                         uint64_t rate)
    : directory_(std::move(directory)),
      database_(database),
      clock_(clock),
      rate_(rate),
      rate_now_(rate),
      pool_("care", 1) {}

std::string ContentCare::path_of(const StagedContent& content) const {
  return content.segment > 0 ? "segments/" + Segments::name_of(content.segment)
                             : "files/" + content.file;
}

Result<Fd> ContentCare::open_bytes(const StagedContent& content) const {
  return open_file(directory_ + "/" + path_of(content), O_RDONLY);
}

Task<Result<StorageUsage>> ContentCare::usage() {
  // Beyond the end of the newest segment is room, not garbage.
  int64_t newest = 0;
  uint64_t end = 0;
  auto count = [&newest, &end](Tx& tx) -> Result<StorageUsage> {
    StorageUsage out;
    // What segments hold is counted as it comes and goes: no row of a small content is read.
    TRY_VOID(
        tx.each("SELECT coalesce(sum(live), 0), coalesce(sum(bytes), 0), max(number) FROM segment",
                {}, [&](const Row& row) {
                  out.contents = static_cast<uint64_t>(row.integer(0));
                  out.dead_bytes = static_cast<uint64_t>(row.integer(1));
                  newest = row.integer(2);
                  return false;
                }));
    TRY_VOID(
        tx.each("SELECT coalesce(max(offset + size), 0) FROM content INDEXED BY "
                "content_segment WHERE kind = 1 AND segment = ?",
                {newest}, [&](const Row& row) {
                  end = static_cast<uint64_t>(row.integer(0));
                  return false;
                }));
    uint64_t released = 0;
    TRY_VOID(
        tx.each("SELECT count(*), coalesce(sum(size), 0) FROM content INDEXED BY content_free "
                "WHERE refs = 0 AND kind IN (1, 2)",
                {}, [&](const Row& row) {
                  released = static_cast<uint64_t>(row.integer(0));
                  out.released_bytes = static_cast<uint64_t>(row.integer(1));
                  return false;
                }));
    TRY_VOID(
        tx.each("SELECT count(*), coalesce(sum(size), 0) FROM content INDEXED BY content_file "
                "WHERE kind = 2",
                {}, [&](const Row& row) {
                  out.contents += static_cast<uint64_t>(row.integer(0)) - released;
                  out.live_bytes =
                      out.dead_bytes + static_cast<uint64_t>(row.integer(1)) - out.released_bytes;
                  return false;
                }));
    TRY_VOID(tx.each("SELECT count(*) FROM content_damage", {}, [&](const Row& row) {
      out.damaged = static_cast<uint64_t>(row.integer(0));
      return false;
    }));
    return out;
  };
  CO_TRY(StorageUsage out, co_await database_.read(std::move(count)));
  auto look = [this, &out, newest, end] {
    const FileSize segments = sizes_under(directory_ + "/segments");
    out.segments = segments.count;
    out.segment_bytes = segments.bytes;
    std::error_code error;
    const auto size = fs::file_size(directory_ + "/segments/" + Segments::name_of(newest), error);
    const uint64_t used = segments.bytes - (error || size < end ? 0 : size - end);
    out.dead_bytes = used - std::min(used, out.dead_bytes);
    out.files = sizes_under(directory_ + "/files").count;
    out.quarantine_bytes = sizes_under(directory_ + "/quarantine").bytes;
    out.disk_free = DiskSpace(directory_, 0).left();
  };
  co_await pool_.run(std::move(look));
  co_return out;
}

Task<Result<StorageCheck>> ContentCare::check() {
  StorageCheck out;
  CO_TRY_VOID(co_await contents(out));
  CO_TRY_VOID(co_await orphans(out));
  auto find = [](Tx& tx) { return content_index::damages(tx, kFindings); };
  CO_TRY(const auto damages, co_await database_.read(std::move(find)));
  for (const Damage& damage : damages) {
    StorageFinding finding;
    finding.kind = "damaged";
    finding.content = static_cast<int64_t>(damage.content);
    finding.what = damage.what + " at " + std::to_string(damage.at);
    if (!damage.what.starts_with("missing")) add_finding(out, std::move(finding));
  }
  co_return out;
}

// Every content has a file that is long enough.
Task<Result<void>> ContentCare::contents(StorageCheck& into) {
  std::map<int64_t, uint64_t> segments;  // sizes
  for (int64_t after = 0;;) {
    auto read = [after](Tx& tx) { return content_index::stored_after(tx, after, kGroup); };
    CO_TRY(const auto group, co_await database_.read(std::move(read)));
    if (group.empty()) co_return Result<void>();
    after = group.back().id;
    auto look = [&] {
      for (const StagedContent& content : group) {
        uint64_t there = 0, wanted = content.offset + content.size;
        if (content.segment == 0 && content.sum == Checksum::crc64)
          wanted += blocks_of(content.size) * 8;
        const auto known = segments.find(content.segment);
        if (content.segment > 0 && known != segments.end() && known->second >= wanted) {
          there = known->second;
        } else {
          struct stat info{};
          if (::stat((directory_ + "/" + path_of(content)).c_str(), &info) == 0)
            there = static_cast<uint64_t>(info.st_size);
          if (content.segment > 0) segments[content.segment] = there;
        }
        ++into.contents;
        if (there >= wanted) continue;
        StorageFinding finding;
        finding.kind = "missing";
        finding.file = path_of(content);
        finding.content = content.id;
        finding.size = content.size;
        finding.what = there == 0 ? "the file is gone" : "the file is cut";
        add_finding(into, std::move(finding));
      }
    };
    co_await pool_.run(std::move(look));
    // The content may have gone meanwhile, with its file: those are no findings.
    CO_TRY_VOID(co_await forget_released(into));
  }
}

Task<Result<void>> ContentCare::forget_released(StorageCheck& into) {
  if (into.findings.empty()) co_return Result<void>();
  auto work = [&into](Tx& tx) -> Result<void> {
    for (auto at = into.findings.begin(); at != into.findings.end();) {
      bool held = false;
      TRY_VOID(tx.each("SELECT 1 FROM content WHERE id = ? AND refs > 0", {at->content},
                       [&](const Row&) {
                         held = true;
                         return false;
                       }));
      if (!held) --into.missing;
      at = held ? at + 1 : into.findings.erase(at);
    }
    return {};
  };
  co_return co_await database_.read(std::move(work));
}

// Every file is named by a row. A segment is somebody's while it holds anything, and while it may
// be the one that is written: that is never older than the newest in the index.
Task<Result<void>> ContentCare::orphans(StorageCheck& into) {
  std::vector<std::string> folders{"segments"};
  std::error_code error;
  for (const auto& folder : fs::directory_iterator(directory_ + "/files", error))
    folders.push_back("files/" + folder.path().filename().string());
  for (const std::string& folder : folders) {
    auto look = [this, &folder] { return old_files(directory_, folder); };
    const std::vector<FoundFile> found = co_await pool_.run(std::move(look));
    into.files += found.size();
    auto work = [&found, &into](Tx& tx) -> Result<void> {
      for (const FoundFile& file : found) {
        bool named = false;
        const auto row = [&](const Row&) {
          named = true;
          return false;
        };
        if (file.segment > 0) {
          TRY_VOID(
              tx.each("SELECT 1 FROM segment WHERE number = ? AND live > 0 UNION ALL SELECT 1 "
                      "WHERE ? >= coalesce((SELECT max(number) FROM segment), 0)",
                      {file.segment, file.segment}, row));
        } else {
          TRY_VOID(tx.each("SELECT 1 FROM content WHERE kind = 2 AND file = ?",
                           {std::string_view(file.name).substr(6)}, row));
        }
        if (named) continue;
        StorageFinding finding;
        finding.kind = "orphaned";
        finding.file = file.name;
        finding.size = file.size;
        finding.what = "no content is in it";
        add_finding(into, std::move(finding));
      }
      return {};
    };
    CO_TRY_VOID(co_await database_.read(std::move(work)));
  }
  co_return Result<void>();
}

}  // namespace holdfast::store
