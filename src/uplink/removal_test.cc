#include "uplink/removal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/digest.h"
#include "base/files.h"

namespace holdfast::uplink {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

struct RemovalTest : testing::Test {
  fs::path dir = fs::temp_directory_path() / ("removal_test." + hex(as_bytes(random_bytes(6))));
  FakeClock clock;
  BlockingPool pool{"removal-test", 1};
  std::unique_ptr<store::Database> database = *store::open_sqlite({":memory:"});
  std::unique_ptr<shares::FileEvents> events = *shares::FileEvents::open(*database);
  shares::ShareConfig share{.name = shares::ShareName("ready"),
                            .kind = shares::ShareKind::cloud,
                            .path = dir / "share",
                            .keep = 10s};
  Removal removal{share, "uplink", *events, pool, clock};

  void SetUp() override {
    fs::create_directories(dir / "share/sub");
    ASSERT_TRUE(events->register_consumer(share.name, "uplink"));
  }
  void TearDown() override { fs::remove_all(dir); }

  fs::path at(const std::string& name) const { return dir / "share" / name; }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(at(name), std::ios::binary) << bytes;
  }
  shares::FileEvent event(const std::string& name) const {
    struct stat info{};
    EXPECT_EQ(::stat(at(name).c_str(), &info), 0);
    shares::FileEvent out;
    out.share = share.name;
    out.path = name;
    out.size = static_cast<uint64_t>(info.st_size);
    out.id = shares::event_id(share.name, name, info.st_ino,
                              int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec,
                              out.size);
    return out;
  }
  // A file with an event that the uplink is done with now.
  shares::FileEvent uploaded(const std::string& name) {
    write(name, "bytes of " + name);
    const shares::FileEvent out = event(name);
    EXPECT_TRUE(run_task(events->raise({out})));
    EXPECT_TRUE(run_task(events->done("uplink", {out.id}, clock.now())));
    return out;
  }
  uint64_t removed() { return *run_task(removal.remove_due()); }
  // What a killed process leaves that had moved a file aside.
  void move_aside(const std::string& name, const shares::FileEvent& of) const {
    fs::create_directories(at(".sent"));
    fs::rename(at(name), at(".sent/" + of.id));
  }
};

TEST_F(RemovalTest, WhatIsUploadedGoesWhenItsTimeHasCome) {
  const auto early = uploaded("sub/early");
  clock.advance(9s);
  uploaded("late");
  EXPECT_EQ(removed(), 0u);
  clock.advance(1s);
  EXPECT_EQ(removed(), 1u);
  EXPECT_FALSE(fs::exists(at("sub/early")));
  EXPECT_TRUE(fs::exists(at("late")));
  EXPECT_TRUE(fs::is_empty(at(".sent")));
  EXPECT_FALSE(events->known(early.id)) << "should the same come again, it has an event again";
  EXPECT_FALSE(*run_task(events->find(early.id)));
  clock.advance(9s);
  EXPECT_EQ(removed(), 1u);
}

TEST_F(RemovalTest, NothingGoesThatIsNotUploadedOrNeededByOthers) {
  write("pending", "1");
  write("failed", "2");
  ASSERT_TRUE(run_task(events->raise({event("pending"), event("failed")})));
  ASSERT_TRUE(run_task(events->failed("uplink", event("failed").id, "why")));
  ASSERT_TRUE(events->register_consumer(share.name, "module"));
  const auto both = uploaded("both");
  clock.advance(1h);
  EXPECT_EQ(removed(), 0u);
  ASSERT_TRUE(run_task(events->failed("module", both.id, "not now")));
  EXPECT_EQ(removed(), 0u) << "it may be tried again";
  ASSERT_TRUE(run_task(events->done("module", {both.id})));
  EXPECT_EQ(removed(), 1u);
  EXPECT_TRUE(fs::exists(at("pending")) && fs::exists(at("failed")));
}

TEST_F(RemovalTest, AShareThatKeepsForEverKeeps) {
  share.keep.reset();
  uploaded("a");
  clock.advance(10'000h);
  EXPECT_EQ(removed(), 0u);
  EXPECT_TRUE(fs::exists(at("a")));
}

TEST_F(RemovalTest, AnotherFileOfTheNameStays) {
  const auto changed = uploaded("changed"), replaced = uploaded("replaced"),
             gone = uploaded("gone");
  write("changed", "other bytes, not uploaded");
  write("new", "bytes of replaced");  // of the same size
  fs::rename(at("new"), at("replaced"));
  fs::remove(at("gone"));
  clock.advance(1h);
  EXPECT_EQ(removed(), 0u);
  EXPECT_EQ(*read_file(at("changed")), "other bytes, not uploaded");
  EXPECT_EQ(*read_file(at("replaced")), "bytes of replaced");
  for (const auto& one : {changed, replaced, gone}) EXPECT_FALSE(events->known(one.id));
}

TEST_F(RemovalTest, AFileThatAProgramHasOpenStaysUntilItIsClosed) {
  uploaded("log");
  clock.advance(1h);
  {
    const Fd writer = *open_file(at("log"), O_WRONLY | O_APPEND);
    EXPECT_EQ(removed(), 0u);
    EXPECT_TRUE(fs::exists(at("log")));
    EXPECT_TRUE(fs::is_empty(at(".sent")));
    EXPECT_EQ(remove_uploaded(share, event("log")).error().reason(), "in_use");
  }
  EXPECT_EQ(removed(), 1u);
}

TEST_F(RemovalTest, WhatAKillLeftAsideIsPutBackAndRemoved) {
  const auto own = uploaded("sub/own");
  move_aside("sub/own", own);
  fs::remove(at("sub"));
  // Changed in the moment before it was moved: nobody has uploaded that.
  const auto changed = uploaded("changed");
  write("changed", "not uploaded");
  move_aside("changed", changed);
  // And one that has a successor.
  const auto older = uploaded("older");
  move_aside("older", older);
  write("older", "a newer one");
  write(".sent/other", "nobody's");
  ASSERT_TRUE(run_task(removal.recover()));
  EXPECT_EQ(*read_file(at("sub/own")), "bytes of sub/own");
  EXPECT_EQ(*read_file(at("changed")), "not uploaded");
  EXPECT_EQ(*read_file(at("older")), "a newer one");
  EXPECT_EQ(std::distance(fs::directory_iterator(at(".sent")), {}), 1);
  clock.advance(1h);
  EXPECT_EQ(removed(), 1u);
  EXPECT_FALSE(fs::exists(at("sub/own")));
  EXPECT_TRUE(fs::exists(at("changed")) && fs::exists(at("older")));
}

TEST_F(RemovalTest, AFolderThatLeadsElsewhereIsNotUsed) {
  fs::create_directories(dir / "elsewhere");
  fs::create_directory_symlink(dir / "elsewhere", at(".sent"));
  uploaded("a");
  clock.advance(1h);
  EXPECT_EQ(removed(), 0u);
  EXPECT_TRUE(fs::exists(at("a")));
}

TEST_F(RemovalTest, ManyGoAtOnce) {
  for (int i = 0; i < 250; ++i) uploaded("f" + std::to_string(i));
  clock.advance(1h);
  const Fd writer = *open_file(at("f0"), O_WRONLY);  // does not hold up those behind it
  EXPECT_EQ(removed(), 249u);
}

}  // namespace
}  // namespace holdfast::uplink
