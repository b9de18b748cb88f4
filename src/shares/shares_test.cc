#include "shares/shares.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/digest.h"
#include "base/files.h"

namespace holdfast::shares {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr const char* kConsumer = "transform:test";

TEST(ShareNames, FollowTheRule) {
  for (const char* good : {"abc", "camera-1", "0ab"}) EXPECT_TRUE(parse_share_name(good)) << good;
  for (const char* bad : {"", "ab", "Camera", "-ab", "ab-", "a--b", "a_b", "a.b"})
    EXPECT_FALSE(parse_share_name(bad)) << bad;
  EXPECT_FALSE(parse_share_name(std::string(64, 'a')));
}

TEST(Paths, HiddenAndEscapingOnesAreInvisible) {
  for (const char* good : {"a.png", "day 1/ü.png"}) EXPECT_TRUE(visible_path(good)) << good;
  for (const char* bad : {".a", "a/.b/c", "../a", "/a", ""}) EXPECT_FALSE(visible_path(bad)) << bad;
}

struct Queue : testing::Test {
  std::unique_ptr<store::Database> database = *store::open_sqlite({":memory:"});
  std::unique_ptr<FileEvents> events = *FileEvents::open(*database);
  ShareName share{"camera"};
  FileEvent event(const std::string& path) {
    FileEvent made;
    made.share = share;
    made.path = path;
    made.size = 10;
    made.id = event_id(share, path, 1, 2, 10);
    return made;
  }
  size_t pending() { return run_task(events->pending(kConsumer, 100))->size(); }
};

TEST_F(Queue, RaisingIsIdempotentAndOrdered) {
  ASSERT_TRUE(events->register_consumer(share, kConsumer));
  ASSERT_TRUE(events->register_consumer(share, kConsumer));
  ASSERT_TRUE(run_task(events->raise({event("b"), event("a")})));
  ASSERT_TRUE(run_task(events->raise({event("a"), event("c")})));
  const auto found = *run_task(events->pending(kConsumer, 100));
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].event.path, "b");
  EXPECT_EQ(found[2].event.path, "c");
  EXPECT_EQ(run_task(events->pending(kConsumer, 1, found[0].sequence))->at(0).event.path, "a");
}

TEST_F(Queue, DoneFailedAndRetry) {
  ASSERT_TRUE(events->register_consumer(share, kConsumer));
  ASSERT_TRUE(run_task(events->raise({event("a"), event("b"), event("c")})));
  ASSERT_TRUE(run_task(events->done(kConsumer, {event("a").id})));
  ASSERT_TRUE(run_task(events->failed(kConsumer, event("b").id, "no reason")));
  auto counts = *run_task(events->counts(share, kConsumer));
  EXPECT_EQ(counts.pending, 1u);
  EXPECT_EQ(counts.done, 1u);
  EXPECT_EQ(counts.failed, 1u);
  EXPECT_EQ(counts.done_bytes, 10u);
  const auto failed = *run_task(events->list(share, "failed", 10));
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0].reason, "no reason");
  EXPECT_EQ(*run_task(events->retry(kConsumer)), 1);
  EXPECT_EQ(pending(), 2u);
}

TEST_F(Queue, ALateConsumerGetsEarlierEvents) {
  ASSERT_TRUE(run_task(events->raise({event("a")})));
  ASSERT_TRUE(events->register_consumer(share, kConsumer));
  EXPECT_EQ(pending(), 1u);
}

struct Watching : testing::Test {
  fs::path dir = fs::temp_directory_path() / ("shares_test." + hex(as_bytes(random_bytes(6))));
  SystemClock system;
  FakeClock fake{system.now()};
  const Clock* clock = &system;
  std::unique_ptr<store::Database> database;
  std::unique_ptr<FileEvents> events;
  std::unique_ptr<Shares> shares;
  std::unique_ptr<Runtime> runtime;
  std::unique_ptr<TaskGroup> group;
  ShareName name{"camera"};

  void SetUp() override { fs::create_directories(dir / "share"); }
  void TearDown() override {
    stop();
    fs::remove_all(dir);
  }
  void start(std::chrono::milliseconds quiet = 0ms) {
    database = *store::open_sqlite({dir / "edge.db"});
    events = *FileEvents::open(*database);
    ASSERT_TRUE(events->register_consumer(name, kConsumer));
    ShareConfig config;
    config.name = name;
    config.path = dir / "share";
    config.quiet = quiet;
    shares = *Shares::open({config}, *events, *clock);
    runtime = std::make_unique<Runtime>(1);
    runtime->start();
    group = std::make_unique<TaskGroup>();
    shares->start(*runtime, *group);
  }
  // With a clock that stands still, what the first scan finds young stays so: what a test then puts
  // must come after that scan.
  void start_and_scan(std::chrono::milliseconds quiet = 0ms) {
    write("before");
    fs::last_write_time(dir / "share/before", fs::file_time_type::clock::now() - 1h);
    start(quiet);
    ASSERT_EQ(wait_for(1).size(), 1u);
  }
  void stop() {
    if (!group) return;
    group->cancel();
    run_task(group->join());
    group.reset();
    runtime.reset();
    shares.reset();
    events.reset();
    database.reset();
  }
  std::vector<std::string> paths() {
    std::vector<std::string> out;
    for (const auto& pending : *run_task(events->pending(kConsumer, 100'000)))
      out.push_back(pending.event.path);
    return out;
  }
  std::vector<std::string> wait_for(size_t count) {
    const auto until = std::chrono::steady_clock::now() + 60s;
    while (paths().size() < count && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(2ms);  // asking takes from what is asked
    return paths();
  }
  void write(const std::string& path, const std::string& text = "x") {
    std::ofstream(dir / "share" / path) << text;
  }
  void rename_in(const std::string& path) {
    write("." + fs::path(path).filename().string());
    fs::rename(dir / "share" / ("." + fs::path(path).filename().string()), dir / "share" / path);
  }
};

TEST_F(Watching, FilesThatAreThereClosedOrRenamedInAreRaisedOnce) {
  write("before");
  start();
  ASSERT_EQ(wait_for(1).size(), 1u);
  write("closed");
  rename_in("renamed");
  wait_for(3);
  rename_in("last");
  EXPECT_EQ(wait_for(4), (std::vector<std::string>{"before", "closed", "renamed", "last"}));
}

TEST_F(Watching, HiddenFilesLinksAndPipesAreNot) {
  fs::create_symlink("/etc/passwd", dir / "share/link");
  ASSERT_EQ(::mkfifo((dir / "share/pipe").c_str(), 0600), 0);
  write(".hidden");
  start();
  fs::create_symlink("/etc/passwd", dir / "share/link2");
  write(".hidden2");
  write("seen");
  EXPECT_EQ(wait_for(1), (std::vector<std::string>{"seen"}));
}

TEST_F(Watching, NewDirectoriesAreFollowedWithWhatIsInThem) {
  start();
  fs::create_directories(dir / "outside/deep/er");
  std::ofstream(dir / "outside/deep/er/a") << "x";
  fs::rename(dir / "outside", dir / "share/in");
  wait_for(1);
  write("in/deep/b");
  auto found = wait_for(2);
  EXPECT_EQ(found, (std::vector<std::string>{"in/deep/er/a", "in/deep/b"}));
}

TEST_F(Watching, AWriteWithinTheQuietTimeMakesOneEvent) {
  clock = &fake;
  start_and_scan(200ms);
  for (int i = 0; i < 5; ++i) write("a", std::string(static_cast<size_t>(i + 1), 'x'));
  rename_in("marker");
  EXPECT_EQ(wait_for(2).size(), 2u);
  fake.advance(200ms);
  rename_in("marker-2");  // what the watcher sees next, so that it looks at the time
  wait_for(4);
  const auto found = *run_task(events->pending(kConsumer, 10));
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[1].event.path, "marker");
  for (const auto& delivery : found)
    if (delivery.event.path == "a") EXPECT_EQ(delivery.event.size, 5u);
}

TEST_F(Watching, AFileThatIsOpenDuringTheFirstScanMakesOneEvent) {
  clock = &fake;
  std::ofstream open(dir / "share/open");
  start_and_scan();
  open << "whole";
  open.close();
  const auto found = wait_for(2);
  EXPECT_EQ(found, (std::vector<std::string>{"before", "open"}));
  EXPECT_EQ(run_task(events->pending(kConsumer, 10))->back().event.size, 5u);
}

TEST_F(Watching, IdsAreTheSameAfterARestartAndNothingIsRaisedTwice) {
  start();
  for (int i = 0; i < 50; ++i) rename_in("f" + std::to_string(i));
  wait_for(50);
  const std::string first = run_task(events->pending(kConsumer, 1))->at(0).event.id;
  stop();
  rename_in("while-stopped");
  start();
  EXPECT_EQ(wait_for(51).size(), 51u);
  EXPECT_EQ(run_task(events->pending(kConsumer, 1))->at(0).event.id, first);
}

TEST_F(Watching, FiveThousandFilesAreAllSeen) {
  start();
  for (int i = 0; i < 5000; ++i) write("f" + std::to_string(i));
  EXPECT_EQ(wait_for(5000).size(), 5000u);
}

TEST_F(Watching, SetAsideMovesTheFileWithItsReason) {
  ShareConfig share;
  share.path = dir / "share";
  fs::create_directory(dir / "share/day");
  write("day/bad.png", "bytes");
  ASSERT_TRUE(set_aside(share, "day/bad.png", "e1", "truncated_image", "it ends too early",
                        "2026-01-01T00:00:00Z"));
  EXPECT_FALSE(fs::exists(dir / "share/day/bad.png"));
  EXPECT_EQ(*read_file(dir / "share/.set-aside/day/bad.png"), "bytes");
  EXPECT_NE(read_file(dir / "share/.set-aside/day/bad.png.reason.json")->find("truncated_image"),
            std::string::npos);
  EXPECT_EQ(set_aside(share, "day/bad.png", "e1", "r", "m", "t").error().code(), Code::not_found);
  EXPECT_FALSE(set_aside(share, "../x", "e1", "r", "m", "t"));
}

}  // namespace
}  // namespace holdfast::shares
