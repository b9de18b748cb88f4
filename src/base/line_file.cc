#include "base/line_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/digest.h"
#include "base/log.h"

namespace holdfast {
namespace {

constexpr std::string_view kSuffix = ".jsonl.open";
constexpr uint64_t kFileLimit = 256ull << 20;

// "20261124T125400" of the name ".answers-20261124T125400-0123abcd.jsonl.open", whose prefix
// is ".answers-"; the beginning of
// time where it does not say.
WallTime time_of(std::string_view name, size_t prefix) {
  const std::string_view t = name.substr(prefix);
  if (t.size() < 15) return {};
  const std::string text = std::string(t.substr(0, 4)) + "-" + std::string(t.substr(4, 2)) + "-" +
                           std::string(t.substr(6, 5)) + ":" + std::string(t.substr(11, 2)) + ":" +
                           std::string(t.substr(13, 2)) + "Z";
  return parse_rfc3339(text).value_or(WallTime{});
}

std::string final_name(std::string_view open_name) {
  return std::string(open_name.substr(1, open_name.size() - 1 - std::string_view(".open").size()));
}

}  // namespace

std::string id_of_line(std::string_view line) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(line, error);
  if (error || !value.is_object()) return {};
  const boost::json::value* id = value.as_object().if_contains("id");
  return id && id->is_string() ? std::string(id->as_string()) : std::string();
}

LineFile::LineFile(std::filesystem::path folder, std::string kind, std::string flow,
                   const Clock& clock)
    : folder_(std::move(folder)),
      kind_(std::move(kind)),
      flow_mark_(sha256_hex(as_bytes(flow)).substr(0, 4)),
      clock_(&clock) {}

Result<LineFile> LineFile::open(std::filesystem::path folder, std::string kind, std::string flow,
                                const Clock& clock) {
  LineFile file(std::move(folder), std::move(kind), std::move(flow), clock);
  TRY_VOID(make_directories(file.folder_));
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(file.folder_, error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("." + file.kind_ + "-") && name.ends_with(kSuffix) &&
        name.find("-" + file.flow_mark_) != std::string::npos)
      found.push_back(name);
  }
  if (error) return std::unexpected(errno_error(error.value(), file.folder_.string()));
  std::sort(found.begin(), found.end());
  for (const std::string& name : found) {
    // Each but the last is left as it is once its ids are known; close() renames them with their
    // own names.
    if (file.is_open()) {
      file.leftovers_.push_back(file.name_);
      file.left_ids_.merge(file.ids_);
      file.ids_.clear();
      file.fd_ = Fd();
    }
    TRY_VOID(file.take_up(name));
  }
  return file;
}

Result<void> LineFile::take_up(const std::string& name) {
  TRY(Fd fd, open_file(folder_ / name, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW));
  TRY(const std::string text, read_file(folder_ / name, kFileLimit));
  size_t good = 0;
  while (good < text.size()) {
    const size_t end = text.find('\n', good);
    if (end == std::string::npos) break;
    // What no fdatasync covered was never acknowledged: the first line that is not whole ends the
    // file.
    std::string id = id_of_line(std::string_view(text).substr(good, end - good));
    if (id.empty()) break;
    ids_.insert(std::move(id));
    good = end + 1;
  }
  if (good < text.size()) {
    log::warning("files", "a torn line was cut off",
                 {{"file", name}, {"bytes", std::to_string(text.size() - good)}});
    if (ftruncate(fd.get(), static_cast<off_t>(good)) != 0)
      return std::unexpected(errno_error(errno, name));
  }
  // What a killed process had written need not be on disk yet.
  if (fdatasync(fd.get()) != 0) return std::unexpected(errno_error(errno, name));
  TRY_VOID(sync_directory(folder_));
  fd_ = std::move(fd);
  name_ = name;
  durable_ = good;
  opened_ = time_of(name, kind_.size() + 2);
  return {};
}

Result<void> LineFile::create() {
  std::string time = format_rfc3339(clock_->now(), 0);
  std::erase_if(time, [](char c) { return c == '-' || c == ':' || c == 'Z'; });
  const std::string name = "." + kind_ + "-" + time + "-" + flow_mark_ +
                           hex(as_bytes(random_bytes(2))) + std::string(kSuffix);
  struct stat info{};
  if (stat((folder_ / final_name(name)).c_str(), &info) == 0)
    return fail(Code::unavailable, "the name " + final_name(name) + " is taken");
  TRY(fd_,
      open_file(folder_ / name, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW));
  name_ = name;
  durable_ = 0;
  broken_ = false;
  opened_ = clock_->now();
  if (Result<void> synced = sync_directory(folder_); !synced) {
    fd_ = Fd();
    unlink((folder_ / name).c_str());
    return synced;
  }
  return {};
}

Result<void> LineFile::append(const std::vector<std::string>& lines,
                              const std::vector<std::string>& ids) {
  if (!fd_) TRY_VOID(create());
  if (broken_) {
    // The bytes after durable_ are dropped and later written anew: the failed fsync itself is not
    // repeated.
    if (ftruncate(fd_.get(), static_cast<off_t>(durable_)) != 0 || fdatasync(fd_.get()) != 0)
      return std::unexpected(errno_error(errno, name_));
    broken_ = false;
  }
  std::string text;
  for (const std::string& line : lines) (text += line) += '\n';
  broken_ = true;
  TRY_VOID(write_all(fd_.get(), as_bytes(text)));
  if (fdatasync(fd_.get()) != 0) return std::unexpected(errno_error(errno, name_));
  broken_ = false;
  durable_ += text.size();
  ids_.insert(ids.begin(), ids.end());
  return {};
}

Result<void> LineFile::rename_away(const std::string& open_name) const {
  const std::filesystem::path from = folder_ / open_name, to = folder_ / final_name(open_name);
  if (rename(from.c_str(), to.c_str()) != 0) return std::unexpected(errno_error(errno, open_name));
  return sync_directory(folder_);
}

Result<void> LineFile::close() {
  while (!leftovers_.empty()) {
    TRY_VOID(rename_away(leftovers_.back()));
    leftovers_.pop_back();
  }
  left_ids_.clear();
  if (!fd_) return {};
  if (broken_) {
    if (ftruncate(fd_.get(), static_cast<off_t>(durable_)) != 0 || fdatasync(fd_.get()) != 0)
      return std::unexpected(errno_error(errno, name_));
    broken_ = false;
  }
  if (ids_.empty()) {  // made, but nothing was ever appended
    if (unlink((folder_ / name_).c_str()) != 0) return std::unexpected(errno_error(errno, name_));
  } else {
    TRY_VOID(rename_away(name_));
  }
  fd_ = Fd();
  ids_.clear();
  return {};
}

std::set<std::string> LineFile::ids() const {
  std::set<std::string> all = ids_;
  all.insert(left_ids_.begin(), left_ids_.end());
  return all;
}

}  // namespace holdfast
