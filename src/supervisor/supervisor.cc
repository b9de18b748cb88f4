#include "supervisor/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "base/files.h"
#include "base/log.h"

extern char** environ;

namespace holdfast::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::string exit_text(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return "exited with " + std::to_string(info.si_status);
  return "killed by signal " + std::to_string(info.si_status);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> merged_environment(const Program& program) {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string::npos) all[text.substr(0, equals)] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : program.environment) all[name] = value;
  std::vector<std::string> out;
  for (const auto& [name, value] : all) out.push_back(name + "=" + value);
  return out;
}

// In the child, between fork and exec: only calls that are safe there.
[[noreturn]] void become(char* const* argv, char* const* envp, int output, int report,
                         pid_t parent) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // the parent died before the signal was asked for
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing >= 0) dup2(nothing, STDIN_FILENO);
  if (output >= 0) dup2(output, STDOUT_FILENO);
  if (output >= 0) dup2(output, STDERR_FILENO);
  if (output < 0) dup2(STDERR_FILENO, STDOUT_FILENO);
  syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
  execve(argv[0], argv, envp);
  const int number = errno;
  [[maybe_unused]] const ssize_t written = write(report, &number, sizeof number);
  _exit(127);
}

struct Child {
  pid_t pid = 0;
  Fd handle;  // pidfd: readable when the child has ended
};

Result<Child> spawn(const Program& program) {
  std::vector<std::string> arguments = program.command;
  std::vector<std::string> variables = merged_environment(program);
  const std::vector<char*> argv = pointers(arguments), envp = pointers(variables);
  Fd output;
  if (!program.log_file.empty()) {
    TRY(output, open_file(program.log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(errno_error(errno, program.name));
  Fd report(ends[0]), report_child(ends[1]);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return std::unexpected(errno_error(errno, program.name + ": fork"));
  if (pid == 0) become(argv.data(), envp.data(), output.get(), report_child.get(), parent);
  report_child = Fd();
  int number = 0;
  ssize_t got;
  do got = read(report.get(), &number, sizeof number);
  while (got < 0 && errno == EINTR);
  Fd handle(static_cast<int>(syscall(SYS_pidfd_open, pid, 0u)));
  if (got == sizeof number || !handle) {
    if (got != sizeof number) number = errno;
    kill(pid, SIGKILL);
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return std::unexpected(errno_error(number, program.command[0]));
  }
  Child child;
  child.pid = pid;
  child.handle = std::move(handle);
  return child;
}

}  // namespace

std::string_view to_string(State state) {
  switch (state) {
    case State::stopped:
      return "stopped";
    case State::running:
      return "running";
    case State::waiting:
      return "waiting";
    case State::failed:
      return "failed";
  }
  return "unknown";
}

struct Supervisor::Life {
  Program program;
  Fd wake;  // eventfd: becomes readable at stop()
  std::thread thread;
  mutable std::mutex mutex;
  Status status;

  void set(State state, pid_t pid) {
    const std::lock_guard lock(mutex);
    status.state = state;
    status.pid = pid;
  }

  // True when `fd` became readable, or stop() was asked for, or the time is over; says which.
  enum class Woken { child, stop, time };
  Woken wait(int child, milliseconds time) const {
    const bool forever = time == milliseconds::max();
    const auto until = steady_clock::now() + (forever ? milliseconds(0) : time);
    while (true) {
      pollfd fds[2] = {{wake.get(), POLLIN, 0}, {child, POLLIN, 0}};
      const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now()).count();
      const int limit = forever ? -1 : static_cast<int>(std::clamp<int64_t>(left, 0, INT_MAX));
      const int ready = poll(fds, child < 0 ? 1 : 2, limit);
      if (ready < 0) continue;  // EINTR
      if (child >= 0 && fds[1].revents != 0) return Woken::child;
      if (fds[0].revents != 0) return Woken::stop;
      if (ready == 0) return Woken::time;
    }
  }

  void reap(const Child& child) {
    siginfo_t info{};
    while (waitid(P_PID, static_cast<id_t>(child.pid), &info, WEXITED) != 0 && errno == EINTR) {
    }
    const std::lock_guard lock(mutex);
    status.last_exit = exit_text(info);
    status.exit_code = info.si_status + (info.si_code == CLD_EXITED ? 0 : 128);
  }

  void end(const Child& child) {
    kill(child.pid, SIGTERM);
    pollfd fd{child.handle.get(), POLLIN, 0};
    const auto until = steady_clock::now() + program.stop_grace;
    while (true) {
      const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now()).count();
      const int ready = poll(&fd, 1, static_cast<int>(std::clamp<int64_t>(left, 0, INT_MAX)));
      if (ready > 0) break;
      if (ready < 0 && errno == EINTR) continue;
      log::warning(program.name, "did not stop in time; killed");
      kill(child.pid, SIGKILL);
      break;
    }
    reap(child);
  }

  void run(std::promise<Result<void>> started) {
    bool first = true;
    milliseconds delay = program.first_delay;
    while (true) {
      Result<Child> child = spawn(program);
      if (child) set(State::running, child->pid);
      if (first && !child) set(State::failed, 0);
      if (first) started.set_value(child ? Result<void>() : std::unexpected(child.error()));
      if (first && !child) return;
      first = false;
      const auto born = steady_clock::now();
      if (child) {
        if (wait(child->handle.get(), milliseconds::max()) == Woken::stop) {
          end(*child);
          return set(State::stopped, 0);
        }
        reap(*child);
        log::warning(program.name, "ended",
                     {{"pid", std::to_string(child->pid)}, {"exit", status.last_exit}});
      } else {
        log::error(program.name, child.error().message());
      }
      if (!program.restart) return set(State::failed, 0);
      if (steady_clock::now() - born >= program.stable_after) delay = program.first_delay;
      set(State::waiting, 0);
      if (wait(-1, delay) == Woken::stop) return set(State::stopped, 0);
      delay = std::min(delay * 2, program.longest_delay);
      const std::lock_guard lock(mutex);
      ++status.restarts;
    }
  }
};

Supervisor::Supervisor(Program program) : life_(std::make_unique<Life>()) {
  life_->program = std::move(program);
}

Supervisor::~Supervisor() {
  stop();
}

Result<void> Supervisor::start() {
  const auto& command = life_->program.command;
  if (command.empty() || !command[0].starts_with('/'))
    return fail(Code::invalid_argument, life_->program.name + ": needs an absolute program path");
  stop();
  life_->wake = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!life_->wake) return std::unexpected(errno_error(errno, "eventfd"));
  std::promise<Result<void>> promise;
  std::future<Result<void>> started = promise.get_future();
  life_->thread = std::thread(
      [life = life_.get()](std::promise<Result<void>> done) { life->run(std::move(done)); },
      std::move(promise));
  return started.get();
}

void Supervisor::stop() {
  if (!life_->thread.joinable()) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(life_->wake.get(), &one, sizeof one);
  life_->thread.join();
}

Status Supervisor::status() const {
  const std::lock_guard lock(life_->mutex);
  return life_->status;
}

Result<std::string> program_beside(std::string_view name) {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  if (size <= 0) return std::unexpected(errno_error(errno, "/proc/self/exe"));
  std::string found(path, static_cast<size_t>(size));
  found = found.substr(0, found.rfind('/') + 1) + std::string(name);
  if (access(found.c_str(), X_OK) != 0) return std::unexpected(errno_error(errno, found));
  return found;
}

}  // namespace holdfast::supervisor
