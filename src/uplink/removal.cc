#include "uplink/removal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>

#include "base/files.h"
#include "base/log.h"

namespace holdfast::uplink {
namespace {

namespace fs = std::filesystem;

std::string folder_of(const shares::ShareConfig& share) {
  return share.path + "/.sent";
}
std::string place_of(const shares::ShareConfig& share, const shares::FileEvent& event) {
  return share.path + "/" + event.path;
}

// Not one that a user of the share has led elsewhere.
Result<Fd> open_folder(const shares::ShareConfig& share) {
  TRY_VOID(make_directories(folder_of(share), 0700));
  return open_file(folder_of(share), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<void> return_file(const Fd& folder, const std::string& name, const std::string& place) {
  if (::renameat2(folder.get(), name.c_str(), AT_FDCWD, place.c_str(), RENAME_NOREPLACE) == 0)
    return {};
  // As the rename of its successor would have done.
  if (errno == EEXIST && ::unlinkat(folder.get(), name.c_str(), 0) == 0) return {};
  return std::unexpected(errno_error(errno, "put back " + place));
}

enum class Look { its, another, in_use };

// A lease is given for no file that another process has open. SIGURG in place of SIGIO, by which
// who opens it at this moment would end this process.
bool unused(const Fd& file) {
  ::fcntl(file.get(), F_SETSIG, SIGURG);
  const bool alone = ::fcntl(file.get(), F_SETLEASE, F_WRLCK) == 0;
  if (alone) ::fcntl(file.get(), F_SETLEASE, F_UNLCK);
  return alone;
}

// `at`: relative to the folder, or absolute.
Look look(const Fd& folder, const std::string& at, const shares::ShareConfig& share,
          const shares::FileEvent& event) {
  const Fd file(::openat(folder.get(), at.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat info{};
  if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return Look::another;
  const int64_t modified = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  const std::string id = shares::event_id(share.name, event.path, info.st_ino, modified,
                                          static_cast<uint64_t>(info.st_size));
  return id != event.id ? Look::another : unused(file) ? Look::its : Look::in_use;
}

std::vector<std::string> aside(const shares::ShareConfig& share) {
  std::vector<std::string> names;
  std::error_code error;  // most shares have no such folder
  for (const auto& entry : fs::directory_iterator(folder_of(share), error))
    names.push_back(entry.path().filename());
  return names;
}

Result<void> put_back(const shares::ShareConfig& share, const shares::FileEvent& event) {
  const std::string place = place_of(share, event);
  TRY(const Fd folder, open_folder(share));
  TRY_VOID(make_directories(fs::path(place).parent_path()));
  return return_file(folder, event.id, place);
}

}  // namespace

Result<bool> remove_uploaded(const shares::ShareConfig& share, const shares::FileEvent& event) {
  if (!shares::visible_path(event.path)) return false;
  TRY(const Fd folder, open_folder(share));
  const std::string place = place_of(share, event);
  Look seen = look(folder, place, share, event);
  if (seen == Look::its) {
    const char* name = event.id.c_str();
    if (::renameat2(AT_FDCWD, place.c_str(), folder.get(), name, RENAME_NOREPLACE) != 0) {
      if (errno == ENOENT) return false;
      return std::unexpected(errno_error(errno, "move " + place + " aside"));
    }
    seen = look(folder, name, share, event);
    if (seen == Look::its) {
      if (::unlinkat(folder.get(), name, 0) == 0) return true;
      return std::unexpected(errno_error(errno, "remove " + place));
    }
    TRY_VOID(return_file(folder, event.id, place));
  }
  if (seen == Look::in_use) return fail(Code::conflict, "in_use", "a program has the file open");
  return false;
}

Task<Result<void>> Removal::recover() {
  for (const std::string& id : aside(share_)) {
    CO_TRY(const auto event, co_await events_.find(id));
    if (!event) continue;  // nothing of ours
    auto work = [this, &event] { return put_back(share_, *event); };
    CO_TRY_VOID(co_await pool_.run(std::move(work)));
  }
  co_return Result<void>();
}

Task<Result<uint64_t>> Removal::remove_due() {
  constexpr size_t kPage = 100;
  uint64_t removed = 0;
  if (!share_.keep) co_return removed;
  const WallTime then = clock_.now() - *share_.keep;
  for (int64_t after = 0;;) {
    CO_TRY(const auto due, co_await events_.done_by(consumer_, then, kPage, after));
    std::vector<std::string> gone;
    for (const shares::FileEvents::Pending& one : due) {
      const shares::FileEvent& event = one.event;
      after = one.sequence;
      auto work = [this, &event] { return remove_uploaded(share_, event); };
      const Result<bool> done = co_await pool_.run(std::move(work));
      if (done) {
        removed += *done ? 1 : 0;
        stays_.erase(event.id);
        gone.push_back(event.id);
      } else if (stays_.insert(event.id).second) {
        log::warning(
            "uplink", "an uploaded file stays for now",
            {{"share", share_.name.str()}, {"file", event.path}, {"why", done.error().message()}});
      }
    }
    CO_TRY_VOID(co_await events_.forget(std::move(gone)));
    if (due.size() < kPage) co_return removed;
  }
}

}  // namespace holdfast::uplink
