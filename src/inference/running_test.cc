#include "inference/running.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <thread>

#include "base/files.h"
#include "inference/fake_engine.h"

namespace holdfast::inference {
namespace {

class RunningTest : public ::testing::Test {
 public:
  RunningTest() {
    char name[] = "/tmp/running_test.XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~RunningTest() override { std::filesystem::remove_all(folder_); }

 protected:
  std::string path() const { return folder_ + "/running"; }
  std::shared_ptr<RunningPage> open() { return *RunningPage::open(path()); }

  // The death of a process that does this with a page; it must not come back from it.
  Death death_of(const std::function<void(RunningPage&)>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
      const rlimit none{0, 0};
      ::setrlimit(RLIMIT_CORE, &none);
      work(*open());
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
    return open()->last();
  }
  std::string folder_;
};

std::string text(const std::vector<Death::Seen>& all) {  // "m:1 m:2(loading)"
  std::string out;
  for (const Death::Seen& seen : all)
    out += (out.empty() ? "" : " ") + seen.name + ":" + std::to_string(seen.version) +
           (seen.loading ? "(loading)" : "") + (seen.answered ? "(answered)" : "");
  return out;
}

TEST_F(RunningTest, AnOrderlyEndLeavesNothing) {
  EXPECT_TRUE(open()->last().orderly) << "the first start";
  {
    const auto page = open();
    const auto running = page->add("m", 1);
    const Running::Run run(*running);
  }
  const auto page = open();
  EXPECT_TRUE(page->last().orderly);
  EXPECT_TRUE(page->last().suspects.empty());
}

TEST_F(RunningTest, AKilledProcessTellsWhatRan) {
  const Death death = death_of([](RunningPage& page) {
    page.note_signals();
    const auto idle = page.add("idle", 1), old = page.add("old", 4), busy = page.add("busy", 7),
               loading = page.add(std::string(128, 'x'), 1);
    old->answered();
    const Running::Run first(*busy), second(*loading, true);
    {
      const Running::Run over(*idle);
    }
    ::raise(SIGKILL);
  });
  EXPECT_FALSE(death.orderly);
  EXPECT_EQ(death.signal, 0);
  EXPECT_EQ(text(death.suspects), "busy:7 " + std::string(128, 'x') + ":1(loading)");
  EXPECT_EQ(text(death.loaded), "idle:1 old:4(answered)");
  EXPECT_TRUE(open()->last().orderly) << "told once";
}

TEST_F(RunningTest, ACrashNamesTheModelOfItsOwnThread) {
  for (const int signal : {SIGSEGV, SIGABRT}) {
    const Death death = death_of([signal](RunningPage& page) {
      page.note_signals();
      const auto good = page.add("good", 1), bad = page.add("bad", 2);
      const Running::Run mine(*good);
      std::thread([&] {
        const Running::Run run(*bad);
        ::raise(signal);
      }).join();
    });
    EXPECT_EQ(death.signal, signal);
    EXPECT_EQ(text(death.suspects), "bad:2");
    EXPECT_EQ(text(death.loaded), "good:1");
  }
}

TEST_F(RunningTest, ACrashElsewhereSuspectsAllThatRan) {
  const Death death = death_of([](RunningPage& page) {
    page.note_signals();
    const auto one = page.add("one", 1), two = page.add("two", 2);
    const Running::Run first(*one), second(*two);
    std::thread([] { ::raise(SIGBUS); }).join();
  });
  EXPECT_EQ(text(death.suspects), "one:1 two:2");
}

TEST_F(RunningTest, AFileThatIsNoneIsBegunAnew) {
  for (const std::string& bytes :
       {std::string(), std::string("short"), std::string(1 << 17, '\xff')}) {
    ASSERT_TRUE(replace_file(path(), as_bytes(bytes)));
    EXPECT_TRUE(open()->last().suspects.empty());
  }
}

TEST_F(RunningTest, MoreModelsAndRunsThanFitAreNotMarked) {
  const auto page = *RunningPage::open("");
  std::vector<RunningPtr> all;
  all.reserve(300);
  for (int i = 0; i < 300; ++i) all.push_back(page->add("m", i));
  std::vector<std::unique_ptr<Running::Run>> runs;
  runs.reserve(400);
  for (const RunningPtr& running : all) runs.push_back(std::make_unique<Running::Run>(*running));
  for (int i = 0; i < 100; ++i) runs.push_back(std::make_unique<Running::Run>(*all[0]));
  EXPECT_GT(all[0]->longest_ns(), 0);
  EXPECT_EQ(all[299]->longest_ns(), 0);
  runs.clear();
  EXPECT_EQ(all[0]->longest_ns(), 0);
}

TEST_F(RunningTest, AMarkedModelIsSeenWhileItRuns) {
  FakeEngine engine;
  ASSERT_TRUE(replace_file(folder_ + "/m", as_bytes(fake_model(3))));
  const auto page = open();
  const RunningPtr running = page->add("m", 1);
  int64_t longest = 0;
  engine.on_run = [&](const auto&) -> Result<void> {
    longest = running->longest_ns();
    return {};
  };
  {
    const auto model = mark_runs(std::move(*engine.load(folder_ + "/m")), running);
    EXPECT_EQ(model->platform(), "fake");
    ASSERT_EQ(model->signature().inputs.size(), 1U);
    const float value = 2;
    TensorView one{.name = "x", .shape = {1, 1}, .data = std::as_bytes(std::span(&value, 1))};
    EXPECT_TRUE(model->run({one}, {}));
  }
  EXPECT_GT(longest, 0);
  EXPECT_EQ(running->longest_ns(), 0);
}

}  // namespace
}  // namespace holdfast::inference
