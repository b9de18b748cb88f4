#include "shares/watcher.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>

#include <cerrno>
#include <filesystem>
#include <unordered_map>

#include "base/files.h"
#include "base/log.h"
#include "net/wake.h"

namespace holdfast::shares {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kMask = IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE |
                           IN_DELETE | IN_ONLYDIR | IN_DONT_FOLLOW;
constexpr auto kRescan = std::chrono::minutes(5);
// A scan can not tell an open file from a closed one: what changed this recently may be in the
// making, however short the quiet time.
constexpr auto kYoung = std::chrono::milliseconds(100);

struct Seen {
  std::string path;
  bool young = false;  // may still be in the making
};

}  // namespace

struct Watcher::State {
  State(ShareConfig share_, FileEvents& events_, BlockingPool& pool_, const Clock& clock_)
      : share(std::move(share_)), events(events_), pool(pool_), clock(clock_) {}
  ShareConfig share;
  FileEvents& events;
  BlockingPool& pool;
  const Clock& clock;
  Fd inotify;
  std::unordered_map<int, std::string> directories;  // watch → relative path, "" for the root
  std::map<std::string, MonoTime> due;               // files that become finished then
  bool overflowed = false;

  std::chrono::milliseconds young() const { return std::max(share.quiet, kYoung); }

  std::string full(const std::string& path) const {
    return path.empty() ? share.path : share.path + "/" + path;
  }

  // A regular file's event; nullopt for anything else and for what is gone.
  std::optional<FileEvent> event_of(const std::string& path) const {
    struct stat info{};
    if (::lstat(full(path).c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
    const int64_t modified = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
    FileEvent event;
    event.id =
        event_id(share.name, path, info.st_ino, modified, static_cast<uint64_t>(info.st_size));
    event.share = share.name;
    event.path = path;
    event.size = static_cast<uint64_t>(info.st_size);
    event.modified = WallTime(std::chrono::nanoseconds(modified));
    event.closed = clock.now();
    return event;
  }

  // Watches a directory before listing it, so that nothing put there meanwhile is missed.
  Result<void> walk(const std::string& directory, std::vector<Seen>& files) {
    const int watch = ::inotify_add_watch(inotify.get(), full(directory).c_str(), kMask);
    if (watch < 0 && errno == ENOSPC) {
      return fail(Code::unavailable,
                  "share " + share.name.str() +
                      ": no inotify watches left; raise fs.inotify.max_user_watches");
    }
    if (watch < 0) return {};  // gone meanwhile, or not a directory
    directories[watch] = directory;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(
             full(directory), fs::directory_options::skip_permission_denied, error)) {
      const std::string name = entry.path().filename();
      if (name.starts_with('.')) continue;
      const std::string path = directory.empty() ? name : directory + "/" + name;
      const auto status = entry.symlink_status(error);
      if (status.type() == fs::file_type::directory) {
        TRY_VOID(walk(path, files));
      } else if (status.type() == fs::file_type::regular) {
        const auto written = fs::file_time_type::clock::to_sys(entry.last_write_time(error));
        files.push_back(Seen{path, clock.now() - written < young()});
      }
    }
    return {};
  }

  Task<Result<void>> raise(std::vector<std::string> paths) {
    std::vector<FileEvent> fresh;
    for (const std::string& path : paths) {
      auto event = event_of(path);
      if (event && !events.known(event->id)) fresh.push_back(std::move(*event));
    }
    if (fresh.empty()) co_return Result<void>();
    co_return co_await events.raise(std::move(fresh));
  }

  void handle(const inotify_event& event, std::vector<std::string>& finished,
              std::vector<std::string>& fresh_directories) {
    if ((event.mask & IN_Q_OVERFLOW) != 0) overflowed = true;
    if ((event.mask & IN_IGNORED) != 0) directories.erase(event.wd);
    const auto found = directories.find(event.wd);
    if (event.len == 0 || found == directories.end()) return;
    const std::string name = event.name;
    if (name.starts_with('.')) return;
    const std::string path = found->second.empty() ? name : found->second + "/" + name;
    if ((event.mask & IN_ISDIR) != 0) {
      if ((event.mask & (IN_CREATE | IN_MOVED_TO)) != 0) fresh_directories.push_back(path);
    } else if ((event.mask & IN_MOVED_TO) != 0 ||
               ((event.mask & IN_CLOSE_WRITE) != 0 && share.quiet.count() == 0)) {
      due.erase(path);
      finished.push_back(path);
    } else if ((event.mask & IN_CLOSE_WRITE) != 0) {
      due[path] = clock.monotonic() + share.quiet;
    } else if ((event.mask & (IN_MODIFY | IN_DELETE | IN_MOVED_FROM)) != 0) {
      due.erase(path);  // being written again, or gone
    }
  }

  void read_kernel(std::vector<std::string>& finished,
                   std::vector<std::string>& fresh_directories) {
    alignas(inotify_event) char buffer[64 << 10];
    for (;;) {
      const ssize_t size = ::read(inotify.get(), buffer, sizeof buffer);
      if (size <= 0) return;
      for (ssize_t at = 0; at < size;) {
        const auto& event = *reinterpret_cast<const inotify_event*>(buffer + at);
        handle(event, finished, fresh_directories);
        at += static_cast<ssize_t>(sizeof(inotify_event) + event.len);
      }
    }
  }

  Task<Result<void>> look_at(std::string directory) {
    auto work = [this, directory]() -> Result<std::vector<Seen>> {
      std::vector<Seen> files;
      TRY_VOID(walk(directory, files));
      return files;
    };
    CO_TRY(std::vector<Seen> files, co_await pool.run(std::move(work)));
    std::vector<std::string> old;
    for (Seen& file : files) {
      if (!file.young)
        old.push_back(std::move(file.path));
      else
        due.try_emplace(std::move(file.path), clock.monotonic() + young());
    }
    co_return co_await raise(std::move(old));
  }

  std::vector<std::string> take_due() {
    std::vector<std::string> ready;
    const MonoTime now = clock.monotonic();
    for (auto it = due.begin(); it != due.end();) {
      if (it->second > now) {
        ++it;
        continue;
      }
      ready.push_back(it->first);
      it = due.erase(it);
    }
    return ready;
  }

  std::chrono::milliseconds until_next(MonoTime rescan) const {
    MonoTime next = rescan;
    for (const auto& [path, time] : due) next = std::min(next, time);
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - clock.monotonic());
    return std::max(wait, std::chrono::milliseconds(1));
  }
};

Watcher::Watcher(std::unique_ptr<State> state) : state_(std::move(state)) {}
Watcher::~Watcher() = default;
const ShareConfig& Watcher::share() const {
  return state_->share;
}

Result<std::unique_ptr<Watcher>> Watcher::open(ShareConfig share, FileEvents& events,
                                               BlockingPool& pool, const Clock& clock) {
  TRY_VOID(make_directories(share.path));
  auto state = std::make_unique<State>(std::move(share), events, pool, clock);
  state->inotify = Fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!state->inotify) return std::unexpected(errno_error(errno, "inotify"));
  return std::unique_ptr<Watcher>(new Watcher(std::move(state)));
}

Task<Result<void>> Watcher::scan() {
  co_return co_await state_->look_at("");
}

Task<void> Watcher::run() {
  State& state = *state_;
  const auto complain = [&](const Result<void>& done) {
    if (!done)
      log::warning("shares", "a file event could not be raised; the next scan tries again",
                   {{"share", state.share.name.str()}, {"error", done.error().message()}});
    return done.has_value();
  };
  boost::asio::posix::stream_descriptor descriptor(co_await boost::asio::this_coro::executor,
                                                   ::dup(state.inotify.get()));
  Wake wake;
  bool armed = false, good = complain(co_await scan());
  MonoTime rescan = state.clock.monotonic() + (good ? kRescan : std::chrono::seconds(5));
  for (;;) {
    if (!armed) {
      armed = true;
      descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                            [&wake, &armed](const boost::system::error_code& error) {
                              if (error) return;  // the watcher is ending; its frame may be gone
                              armed = false;
                              wake.notify();
                            });
    }
    co_await wake.wait(state.until_next(rescan));
    std::vector<std::string> finished, fresh;
    state.read_kernel(finished, fresh);
    for (std::string& path : state.take_due()) finished.push_back(std::move(path));
    good = complain(co_await state.raise(std::move(finished)));
    for (std::string& directory : fresh)
      good = complain(co_await state.look_at(std::move(directory))) && good;
    if (state.overflowed || state.clock.monotonic() >= rescan || !good) {
      state.overflowed = false;
      good = complain(co_await scan());
      rescan = state.clock.monotonic() + (good ? kRescan : std::chrono::seconds(5));
    }
  }
}

}  // namespace holdfast::shares
