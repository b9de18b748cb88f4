#include "child.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/files.h"

extern char** environ;

namespace holdfast {
namespace {

using Steady = std::chrono::steady_clock;
constexpr size_t kMostSaid = 4 << 10;

}  // namespace

Result<pid_t> start_measuring(std::vector<std::string> words, int complaints) {
  words.insert(words.begin(), {"holdfast-serve", "measure"});
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  if (complaints >= 0) ::posix_spawn_file_actions_adddup2(&files, complaints, STDERR_FILENO);
  pid_t child = 0;
  const int failed =
      ::posix_spawn(&child, "/proc/self/exe", &files, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  if (failed != 0) return std::unexpected(errno_error(failed, "spawn"));
  return child;
}

Result<Ended> run_measuring(std::vector<std::string> words, std::chrono::milliseconds at_most) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(errno_error(errno, "pipe"));
  const Fd from(ends[0]);
  Fd into(ends[1]);
  TRY(const pid_t child, start_measuring(std::move(words), into.get()));
  into = Fd();
  Ended out;
  const auto end = Steady::now() + at_most;
  char piece[1024];
  for (;;) {  // until it has closed its end, which it does by ending
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Steady::now()).count();
    pollfd ready{.fd = from.get(), .events = POLLIN, .revents = 0};
    out.late = left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) == 0;
    if (out.late) {
      ::kill(child, SIGKILL);
      break;
    }
    const ssize_t size = ::read(from.get(), piece, sizeof piece);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    if (out.said.size() < kMostSaid) out.said.append(piece, static_cast<size_t>(size));
  }
  while (::waitpid(child, &out.status, 0) < 0 && errno == EINTR) {
  }
  while (out.said.ends_with('\n')) out.said.pop_back();
  return out;
}

}  // namespace holdfast
