#include "inference/sandbox/confine.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <new>
#include <thread>
#include <vector>

namespace holdfast::inference {
namespace {

// How a confined child ends; its exit status is what `work` returns.
int in_child(const std::function<int()>& work, uint64_t memory = 256 << 20, int seconds = 20) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(confine(memory, std::chrono::seconds(seconds)) ? work() : 99);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}
int exit_of(const std::function<int()>& work) {
  const int status = in_child(work);
  EXPECT_TRUE(WIFEXITED(status)) << status;
  return WEXITSTATUS(status);
}
// EPERM is what everything that is refused ends with.
int error_of(long result) {
  return result < 0 ? errno : 0;
}

TEST(Confine, ReadsRunsThreadsAndAllocates) {
  EXPECT_EQ(exit_of([] {
              const int fd = ::open("/proc/self/status", O_RDONLY);
              char text[16];
              int sum = 0;
              std::thread([&sum] { sum = 7; }).join();
              const std::vector<char> memory(64 << 20, 'x');
              return fd >= 0 && ::read(fd, text, sizeof text) > 0 ? sum : 1;
            }),
            7);
}

TEST(Confine, WritesNothing) {
  const std::string path = testing::TempDir() + "confined";
  for (const int flags : {O_WRONLY, O_RDWR, O_WRONLY | O_CREAT, O_RDONLY | O_CREAT})
    EXPECT_EQ(exit_of([&] { return error_of(::open(path.c_str(), flags, 0600)); }), EPERM) << flags;
  EXPECT_EQ(exit_of([] { return error_of(::open("/dev/null", O_WRONLY)); }), EPERM);
  EXPECT_EQ(exit_of([] { return error_of(::unlink("/tmp/none")); }), EPERM);
  EXPECT_EQ(exit_of([] { return error_of(::rename("/tmp/none", "/tmp/nothing")); }), EPERM);
  EXPECT_EQ(exit_of([] { return error_of(::mkdir("/tmp/none", 0700)); }), EPERM);
}

TEST(Confine, ReachesNobody) {
  EXPECT_EQ(exit_of([] { return error_of(::socket(AF_INET, SOCK_STREAM, 0)); }), EPERM);
  EXPECT_EQ(exit_of([] { return error_of(::socket(AF_UNIX, SOCK_STREAM, 0)); }), EPERM);
  EXPECT_EQ(exit_of([] { return error_of(::kill(::getppid(), 0)); }), EPERM);
  EXPECT_EQ(exit_of([] { return error_of(::execl("/bin/true", "true", nullptr)); }), EPERM);
}

TEST(Confine, TakesNoMoreThanItsMemoryAndTime) {
  EXPECT_EQ(exit_of([] {
              try {
                const std::vector<char> memory(512 << 20, 'x');
                return 1;
              } catch (const std::bad_alloc&) {
                return 5;
              }
            }),
            5);
  const auto forever = [] {
    for (volatile int i = 0;; i = i + 1) {
    }
    return 0;
  };
  const int status = in_child(forever, 256 << 20, 1);
  EXPECT_TRUE(WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGXCPU));
}

}  // namespace
}  // namespace holdfast::inference
