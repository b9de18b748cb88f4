#include "jobs/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <map>

#include "base/bytes.h"
#include "base/files.h"

extern char** environ;

namespace holdfast::jobs {
namespace {

namespace fs = std::filesystem;

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> variables_of(const Command& command) {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    // What configures the hub is not the job's to see.
    if (equals != std::string::npos && !text.starts_with("HOLDFAST_"))
      all[text.substr(0, equals)] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : command.environment) all[name] = value;
  all[std::string(kMark)] = command.mark;
  std::vector<std::string> out;
  for (const auto& [name, value] : all) out.push_back(name + "=" + value);
  return out;
}

// The whole of a file of /proc, whose size is not told; empty where it is gone or not ours.
std::string proc_file(const std::string& path) {
  std::string out;
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char piece[4096];
  ssize_t got = 0;
  while (file && out.size() < (4u << 20) && (got = read(file.get(), piece, sizeof piece)) > 0)
    out.append(piece, static_cast<size_t>(got));
  return out;
}

// Field 22 of /proc/PID/stat; 0 where there is no such process, or it is dead and not yet reaped.
uint64_t start_time(pid_t pid) {
  const std::string stat = proc_file("/proc/" + std::to_string(pid) + "/stat");
  size_t at = stat.rfind(')');
  if (at == std::string::npos || at + 2 >= stat.size()) return 0;
  if (stat[at + 2] == 'Z' || stat[at + 2] == 'X') return 0;
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  if (at == std::string::npos) return 0;
  return parse_u64(stat.substr(at + 1, stat.find(' ', at + 1) - at - 1)).value_or(0);
}

// In the child, between fork and exec: only calls that are safe there. `gate` gives one byte when
// the process is on record; its end without one means that the hub is gone.
[[noreturn]] void become(char* const* argv, char* const* envp, const char* directory, int output,
                         int gate, int report) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  setsid();
  char go = 0;
  ssize_t got;
  do got = read(gate, &go, 1);
  while (got < 0 && errno == EINTR);
  if (got != 1) _exit(127);
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing >= 0) dup2(nothing, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
  if (chdir(directory) == 0) execve(argv[0], argv, envp);
  const int number = errno;
  [[maybe_unused]] const ssize_t written = write(report, &number, sizeof number);
  _exit(127);
}

int reap(pid_t pid) {
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) != 0 && errno == EINTR) {
  }
  return info.si_status + (info.si_code == CLD_EXITED ? 0 : 128);
}

bool carries(pid_t pid, const std::string& wanted) {
  const std::string variables = proc_file("/proc/" + std::to_string(pid) + "/environ");
  return variables.starts_with(wanted) ||
         variables.find(std::string(1, '\0') + wanted) != std::string::npos;
}

std::vector<pid_t> marked(std::string_view mark) {
  std::vector<pid_t> out;
  const std::string wanted = std::string(kMark) + "=" + std::string(mark) + std::string(1, '\0');
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const auto pid = parse_u64(entry.path().filename().string());
    if (!pid || *pid > INT32_MAX) continue;
    const auto number = static_cast<pid_t>(*pid);
    if (number != getpid() && start_time(number) != 0 && carries(number, wanted))
      out.push_back(number);
  }
  return out;
}

// Until the process has ended, or the time is over.
void await_end(pid_t pid, int milliseconds) {
  const Fd handle(static_cast<int>(syscall(SYS_pidfd_open, pid, 0u)));
  if (!handle) return;
  pollfd fd{handle.get(), POLLIN, 0};
  poll(&fd, 1, milliseconds);
}

}  // namespace

Result<int> run_command(const Command& command, const Recorded& recorded) {
  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> variables = variables_of(command);
  const std::vector<char*> argv = pointers(arguments), envp = pointers(variables);
  TRY(const Fd output, open_file(command.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  int gates[2], reports[2];
  if (pipe2(gates, O_CLOEXEC) != 0) return std::unexpected(errno_error(errno, "pipe"));
  Fd gate(gates[0]), open_gate(gates[1]);
  if (pipe2(reports, O_CLOEXEC) != 0) return std::unexpected(errno_error(errno, "pipe"));
  Fd report(reports[0]), report_child(reports[1]);
  const pid_t pid = fork();
  if (pid < 0) return std::unexpected(errno_error(errno, "fork"));
  if (pid == 0) {
    close(open_gate.get());  // else its own copy would keep the gate from ending
    become(argv.data(), envp.data(), command.directory.c_str(), output.get(), gate.get(),
           report_child.get());
  }
  report_child = Fd();
  const ProcessId process{pid, start_time(pid)};
  if (auto done = recorded(process); !done) {
    open_gate = Fd();
    reap(pid);
    return std::unexpected(std::move(done).error());
  }
  if (auto opened = write_all(open_gate.get(), as_bytes("1")); !opened) {
    open_gate = Fd();
    reap(pid);
    return std::unexpected(std::move(opened).error());
  }
  int number = 0;
  ssize_t got;
  do got = read(report.get(), &number, sizeof number);
  while (got < 0 && errno == EINTR);
  // The number stays taken until it is reaped: the group can be killed without hitting another.
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  kill(-pid, SIGKILL);
  const int code = reap(pid);
  if (got == sizeof number) return std::unexpected(errno_error(number, command.arguments[0]));
  return code;
}

void kill_group(ProcessId process) {
  if (process.pid <= 1 || process.started == 0) return;
  if (start_time(process.pid) != process.started) return;
  kill(-process.pid, SIGKILL);
  kill(process.pid, SIGKILL);  // it may not have made its session yet
}

Result<void> kill_attempt(ProcessId process, std::string_view mark) {
  using std::chrono::steady_clock;
  kill_group(process);
  const auto until = steady_clock::now() + std::chrono::seconds(10);
  while (true) {
    const std::vector<pid_t> alive = marked(mark);
    const bool leader =
        process.pid > 1 && process.started != 0 && start_time(process.pid) == process.started;
    if (alive.empty() && !leader) return {};
    if (steady_clock::now() > until)
      return fail(Code::timed_out, "processes of an old attempt do not die");
    for (const pid_t pid : alive) kill(pid, SIGKILL);
    await_end(leader ? process.pid : alive.front(), 100);
  }
}

}  // namespace holdfast::jobs
