#include "uplink/uplink.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/digest.h"
#include "uplink/records.h"

namespace holdfast::uplink {
namespace {

namespace fs = std::filesystem;

std::string pattern(size_t size) {
  std::string out(size, '\0');
  for (size_t i = 0; i < size; ++i) out[i] = static_cast<char>('a' + i * 7 % 26);
  return out;
}

struct UplinkTest : testing::Test {
  fs::path dir = fs::temp_directory_path() / ("uplink_test." + hex(as_bytes(random_bytes(6))));
  SystemClock clock;
  MemoryTarget target;
  BlockingPool pool{"uplink-test", 1};
  std::unique_ptr<store::Database> database;
  std::unique_ptr<shares::FileEvents> events;
  std::unique_ptr<store::Journal> journal;
  std::unique_ptr<Uplink> uplink;
  UplinkShare share;

  void SetUp() override {
    fs::create_directories(dir / "share");
    share.share.name = shares::ShareName("ready");
    share.share.kind = shares::ShareKind::cloud;
    share.share.path = dir / "share";
    share.share.container = "ready";
    share.target = &target;
    database = *store::open_sqlite({":memory:"});
    events = *shares::FileEvents::open(*database);
    target.containers.insert("ready");
    restart();
  }
  void TearDown() override {
    uplink.reset();
    journal.reset();
    fs::remove_all(dir);
  }
  // As after a kill: memory is gone, the journal is what is on disk.
  void restart() {
    uplink.reset();
    journal.reset();
    journal = *store::open_file_journal({dir / "journal"});
    UplinkOptions options;
    options.block_size = options.single_put = 1000;
    auto made = Uplink::open({share}, *events, *journal, pool, clock, options);
    ASSERT_TRUE(made) << made.error().message();
    uplink = std::move(*made);
  }
  shares::FileEvent file(const std::string& name, const std::string& bytes) {
    std::ofstream(dir / "share" / name, std::ios::binary) << bytes;
    struct stat info{};
    EXPECT_EQ(::stat((dir / "share" / name).c_str(), &info), 0);
    shares::FileEvent event;
    event.share = share.share.name;
    event.path = name;
    event.size = bytes.size();
    event.id = shares::event_id(event.share, name, info.st_ino,
                                int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec,
                                bytes.size());
    return event;
  }
  Result<void> upload(const shares::FileEvent& event) {
    return run_task(uplink->upload(share, event));
  }
  // That many files of different sizes, told in one go.
  void raise_files(size_t count) {
    std::vector<shares::FileEvent> raised;
    raised.reserve(count);
    for (size_t i = 0; i < count; ++i)
      raised.push_back(file("f" + std::to_string(i), pattern(100 + i)));
    ASSERT_TRUE(run_task(events->raise(raised)));
  }
};

TEST_F(UplinkTest, ASmallFileIsOneCallWithItsHashAndEvent) {
  const auto event = file("a.png", "small");
  ASSERT_TRUE(upload(event));
  const auto& blob = target.blobs.at("ready/a.png");
  EXPECT_EQ(blob.bytes, "small");
  EXPECT_EQ(blob.headers.content_type, "image/png");
  EXPECT_EQ(blob.headers.content_md5, base64(as_bytes(hash(HashKind::md5, as_bytes("small")))));
  EXPECT_EQ(target.blocks_sent, 0);
}

TEST_F(UplinkTest, ARepeatIsNotSentAgain) {
  const auto event = file("a.bin", "small");
  ASSERT_TRUE(upload(event));
  restart();
  ASSERT_TRUE(upload(event));
  EXPECT_EQ(target.commits, 1);
}

// Cut after every possible call, then restarted: the blob is whole, and no block that was
// journalled goes twice.
TEST_F(UplinkTest, ALargeFileGoesOnAfterEveryCut) {
  const std::string bytes = pattern(7500);  // eight blocks
  for (int cut = 0; cut < 10; ++cut) {
    target = MemoryTarget();
    target.containers.insert("ready");
    const auto event = file("big-" + std::to_string(cut), bytes);
    target.fail_after = cut;
    ASSERT_FALSE(upload(event)) << cut;
    const int sent_before = target.blocks_sent;
    target.fail_after = 1 << 30;
    restart();
    ASSERT_TRUE(upload(event)) << cut;
    EXPECT_EQ(target.blobs.at("ready/big-" + std::to_string(cut)).bytes, bytes);
    EXPECT_EQ(target.blocks_sent, 8) << "cut after " << cut << ", sent before " << sent_before;
    EXPECT_EQ(target.commits, 1);
  }
}

TEST_F(UplinkTest, BlocksThatTheServiceDroppedAreSentAgain) {
  const auto event = file("big", pattern(2500));
  target.fail_after = 3;  // the look for the blob and two blocks
  ASSERT_FALSE(upload(event));
  target.fail_after = 1 << 30;
  target.blocks.clear();
  restart();
  ASSERT_FALSE(upload(event));  // notices, and says to try again
  ASSERT_TRUE(upload(event));
  EXPECT_EQ(target.blobs.at("ready/big").bytes, pattern(2500));
}

TEST_F(UplinkTest, AChangedOrVanishedFileIsLeftToItsNewEvent) {
  auto event = file("a", "one");
  std::ofstream(dir / "share/a") << "another";
  EXPECT_EQ(upload(event).error().reason(), "file_changed");
  fs::remove(dir / "share/a");
  EXPECT_EQ(upload(event).error().reason(), "file_changed");
  EXPECT_TRUE(target.blobs.empty());
}

TEST_F(UplinkTest, ALinkOutOfTheShareIsNotFollowed) {
  fs::create_symlink("/etc/passwd", dir / "share/link");
  shares::FileEvent event;
  event.path = "link";
  EXPECT_FALSE(upload(event));
  event.path = "../escape";
  EXPECT_EQ(upload(event).error().code(), Code::invalid_argument);
}

// Everything from the event to the blob, with the hub away at first.
TEST_F(UplinkTest, RaisedEventsAreUploadedByThemselves) {
  UplinkOptions options;
  options.first_delay = options.longest_delay = std::chrono::milliseconds(5);
  uplink = *Uplink::open({share}, *events, *journal, pool, clock, options);
  target.containers.clear();
  target.fail_after = 0;
  Runtime runtime(1);  // one thread, so that the target needs no lock
  runtime.start();
  TaskGroup group;
  uplink->start(runtime, group);
  raise_files(20);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (uplink->progress(share.share.name).waiting.empty() &&
         std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  EXPECT_EQ(uplink->progress(share.share.name).waiting, "planned failure");
  target.fail_after = 1 << 30;
  while (run_task(events->counts(share.share.name, consumer_of(share.share.name)))->done < 20 &&
         std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  group.cancel();
  run_task(group.join());
  EXPECT_EQ(target.blobs.size(), 20u);
  EXPECT_EQ(target.commits, 20);
}

TEST_F(UplinkTest, AShareThatKeepsNothingIsEmptied) {
  share.share.keep = std::chrono::milliseconds(0);
  restart();
  Runtime runtime(1);  // one thread, so that the target needs no lock
  runtime.start();
  TaskGroup group;
  uplink->start(runtime, group);
  raise_files(20);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (uplink->progress(share.share.name).removed_files < 20 &&
         std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  group.cancel();
  run_task(group.join());
  EXPECT_EQ(target.blobs.size(), 20u);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir / "share"), {}), 1) << ".sent alone";
}

TEST(Records, NonsenseIsRefused) {
  std::map<std::string, Upload> uploads;
  for (const char* bad :
       {"", "begin", "begin e 1", "begin e x 1", "begin e 1 0", "block e", "block e x", "what e"})
    EXPECT_FALSE(apply(uploads, 1, bad)) << bad;
  ASSERT_TRUE(apply(uploads, 5, begin_record("e", 10, 4)));
  ASSERT_TRUE(apply(uploads, 6, block_record("e", 1)));
  EXPECT_EQ(uploads.at("e").first_sequence, 5u);
  EXPECT_TRUE(uploads.at("e").blocks.contains(1));
  ASSERT_TRUE(apply(uploads, 7, committed_record("e")));
  EXPECT_TRUE(uploads.empty());
}

}  // namespace
}  // namespace holdfast::uplink
