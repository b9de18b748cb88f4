#include "supervisor/supervisor.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace holdfast::supervisor {
namespace {

using namespace std::chrono_literals;

class SupervisorTest : public testing::Test {
 protected:
  SupervisorTest() {
    char name[] = "/tmp/supervisor_test.XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~SupervisorTest() override { std::filesystem::remove_all(folder_); }

  Program shell(const std::string& script) const {
    Program program;
    program.name = "child";
    program.command = {"/bin/sh", "-c", script};
    program.log_file = folder_ / "log";
    program.first_delay = 1ms;
    program.longest_delay = 4ms;
    program.stop_grace = 60s;
    return program;
  }
  std::string log() const {
    std::ifstream file(folder_ / "log");
    std::stringstream out;
    out << file.rdbuf();
    return out.str();
  }
  // Asks until it holds; real processes need it. The deadline only ends a broken run.
  template <class F>
  static bool eventually(F holds) {
    for (const auto until = std::chrono::steady_clock::now() + 30s;
         std::chrono::steady_clock::now() < until;) {
      if (holds()) return true;
      std::this_thread::sleep_for(1ms);
    }
    return false;
  }

  std::filesystem::path folder_;
};

TEST_F(SupervisorTest, StartsAndStopsGracefully) {
  Supervisor child(shell("trap 'echo bye; exit 0' TERM; echo hello; while :; do sleep 0.01; done"));
  ASSERT_TRUE(child.start());
  EXPECT_EQ(child.status().state, State::running);
  const pid_t pid = child.status().pid;
  EXPECT_GT(pid, 0);
  ASSERT_TRUE(eventually([&] { return log() == "hello\n"; }));
  child.stop();
  EXPECT_EQ(child.status().state, State::stopped);
  EXPECT_EQ(child.status().last_exit, "exited with 0");
  EXPECT_EQ(log(), "hello\nbye\n");
  EXPECT_EQ(kill(pid, 0), -1) << "the child is reaped";
  child.stop();  // again: nothing
}

TEST_F(SupervisorTest, KillsWhatDoesNotStop) {
  Program program = shell("trap '' TERM; echo ready; while :; do sleep 0.01; done");
  program.stop_grace = 20ms;
  Supervisor child(program);
  ASSERT_TRUE(child.start());
  ASSERT_TRUE(eventually([&] { return log() == "ready\n"; }));
  child.stop();
  EXPECT_EQ(child.status().last_exit, "killed by signal 9");
  EXPECT_EQ(child.status().exit_code, 137);
}

TEST_F(SupervisorTest, RestartsAfterEveryEnd) {
  Supervisor child(shell("echo life; exit 3"));
  ASSERT_TRUE(child.start());
  ASSERT_TRUE(eventually([&] { return child.status().restarts >= 3; }));
  EXPECT_EQ(child.status().last_exit, "exited with 3");
  child.stop();
  EXPECT_TRUE(log().starts_with("life\nlife\nlife\n"));
}

TEST_F(SupervisorTest, RestartsAfterAKill) {
  Supervisor child(shell("while :; do sleep 0.01; done"));
  ASSERT_TRUE(child.start());
  const pid_t first = child.status().pid;
  kill(first, SIGKILL);
  ASSERT_TRUE(eventually([&] {
    const Status now = child.status();
    return now.state == State::running && now.pid != first;
  }));
  EXPECT_EQ(child.status().last_exit, "killed by signal 9");
  EXPECT_EQ(child.status().restarts, 1u);
}

TEST_F(SupervisorTest, OneLifeWhereNoRestartIsWanted) {
  Program program = shell("exit 7");
  program.restart = false;
  Supervisor child(program);
  ASSERT_TRUE(child.start());
  ASSERT_TRUE(eventually([&] { return child.status().state == State::failed; }));
  EXPECT_EQ(child.status().last_exit, "exited with 7");
  EXPECT_EQ(child.status().exit_code, 7);
  EXPECT_EQ(child.status().restarts, 0u);
}

TEST_F(SupervisorTest, SaysWhatCanNotBeExecuted) {
  Program program = shell("");
  program.command = {"/nonexistent/program"};
  EXPECT_EQ(Supervisor(program).start().error().code(), Code::not_found);
  program.command = {folder_ / "plain"};
  std::ofstream(folder_ / "plain") << "text";
  EXPECT_EQ(Supervisor(program).start().error().code(), Code::denied);
  program.command = {"sh"};
  EXPECT_EQ(Supervisor(program).start().error().code(), Code::invalid_argument);
  program.command = {};
  EXPECT_EQ(Supervisor(program).start().error().code(), Code::invalid_argument);
}

TEST_F(SupervisorTest, SetsTheEnvironmentAndClosesDescriptors) {
  const int extra = dup(1);  // without O_CLOEXEC
  Program program = shell("echo $COLOUR; ls /proc/self/fd | wc -l; cat");
  program.environment = {{"COLOUR", "green"}};
  program.restart = false;
  Supervisor child(program);
  ASSERT_TRUE(child.start());
  ASSERT_TRUE(eventually([&] { return child.status().state == State::failed; }));
  close(extra);
  EXPECT_EQ(log(), "green\n4\n");  // 0, 1, 2, and the folder that ls reads
}

TEST_F(SupervisorTest, TheChildDiesWithAKilledParent) {
  const pid_t parent = fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    Supervisor child(shell("echo $$; while :; do sleep 0.01; done"));
    if (!child.start()) _exit(1);
    pause();
    _exit(0);
  }
  ASSERT_TRUE(eventually([&] { return log().ends_with("\n"); }));
  const pid_t child = std::stoi(log());
  EXPECT_EQ(kill(child, 0), 0);
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  // Gone, or a zombie that this machine's init has not collected yet.
  EXPECT_TRUE(eventually([&] {
    std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
    std::string text;
    return !std::getline(stat, text) || text.find(") Z") != std::string::npos ||
           text.find(") X") != std::string::npos;
  }));
}

TEST(ProgramBeside, FindsThisProgramAndNoOther) {
  const auto self = program_beside("supervisor_test");
  ASSERT_TRUE(self) << self.error().message();
  EXPECT_EQ(program_beside("no-such-program").error().code(), Code::not_found);
}

}  // namespace
}  // namespace holdfast::supervisor
