// What looks after the stored bytes: usage, check, repair, scrub.
#include <fcntl.h>
#include <unistd.h>

#include <fstream>

#include "net/task_group.h"
#include "store/objects/care.h"
#include "store/objects/testing.h"

namespace holdfast::store {
namespace {

namespace fs = std::filesystem;

struct CareTest : testing::Test, ObjectRig {
  FakeClock clock;
  std::unique_ptr<ContentCare> care;

  void SetUp() override {
    database = *open_sqlite({folder.path / "s.db"});
    objects = *open_file_objects({content(), 10'000, 4000}, *database);
    care = std::make_unique<ContentCare>(content(), *database, clock, 0);
  }
  std::string content() const { return folder.path / "content"; }
  std::vector<fs::path> under(const char* part) const {
    std::vector<fs::path> out;
    std::error_code error;
    for (const auto& entry :
         fs::recursive_directory_iterator(folder.path / "content" / part, error))
      if (entry.is_regular_file()) out.push_back(entry.path());
    return out;
  }
  void age() const {
    for (const char* part : {"segments", "files"})
      for (const fs::path& file : under(part))
        fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(2));
  }
  static void spoil(const fs::path& path, int64_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(at);
    file.put('!');
  }
  // Until the pass that was asked for has ended.
  ScrubProgress scrubbed(uint64_t rate = 0) {
    const auto work = [](ContentCare& on, uint64_t at) -> Task<Result<ScrubProgress>> {
      CO_TRY_VOID(co_await on.scrub_now(at));
      TaskGroup group;
      group.spawn(co_await boost::asio::this_coro::executor, "scrub", on.scrub());
      Result<ScrubProgress> now = co_await on.progress();
      while (now && now->running) {
        (void)co_await sleep_for(std::chrono::milliseconds(5));
        now = co_await on.progress();
      }
      group.cancel();
      co_await group.join();
      co_return now;
    };
    return *run_task(work(*care, rate));
  }
};

TEST_F(CareTest, UsageTellsLiveBytesAndGarbage) {
  const ContentId small = put(text(3000, 'a'));
  put(text(2000, 'b'));
  const ContentId large = put(text(70'000, 'c'));
  auto usage = *run_task(care->usage());
  EXPECT_EQ(usage.contents, 3u);
  EXPECT_EQ(usage.live_bytes, 75'000u);
  EXPECT_EQ(usage.released_bytes + usage.dead_bytes, 0u);
  EXPECT_EQ(usage.files, 1u);
  release(small);
  release(large);
  usage = *run_task(care->usage());
  EXPECT_EQ(usage.live_bytes, 2000u);
  EXPECT_EQ(usage.released_bytes, 73'000u);
  ASSERT_TRUE(run_task(objects->sweep()));
  usage = *run_task(care->usage());
  EXPECT_EQ(usage.released_bytes, 0u);
  EXPECT_EQ(usage.dead_bytes, 3000u) << "in the segment";
  EXPECT_EQ(usage.files, 0u);
}

TEST_F(CareTest, WhatWasNeverAddedIsAnOrphanOnceItIsOld) {
  const ContentId kept = put(text(20'000, 'a'));
  const StagedContent staged = stage(text(30'000, 'b'));
  EXPECT_EQ(run_task(care->check())->orphaned, 0u);
  EXPECT_EQ(run_task(care->repair())->removed, 0u);
  age();
  const auto found = *run_task(care->check());
  ASSERT_EQ(found.orphaned, 1u);
  EXPECT_EQ(found.findings[0].file, "files/" + staged.file);
  EXPECT_EQ(found.missing + found.damaged, 0u);
  const auto done = *run_task(care->repair());
  EXPECT_EQ(done.removed, 1u);
  EXPECT_GE(done.freed_bytes, 30'000u);
  EXPECT_EQ(run_task(care->check())->orphaned, 0u);
  EXPECT_EQ(read(*find(kept)), text(20'000, 'a'));
}

// The segment under way is named by no row yet, however old it is.
TEST_F(CareTest, TheSegmentThatIsWrittenIsNoOrphan) {
  const StagedContent staged = stage(text(100, 'a'));
  age();
  EXPECT_EQ(run_task(care->repair())->removed, 0u);
  const ContentId id = *write([&](Tx& tx) { return objects->add(tx, staged); });
  EXPECT_EQ(read(*find(id)), text(100, 'a'));
}

TEST_F(CareTest, CheckFindsWhatIsMissingOrCut) {
  put(text(5000, 'a'));
  put(text(6000, 'b'));
  put(text(10, 'c'));
  EXPECT_EQ(run_task(care->check())->missing, 0u);
  fs::remove(under("files")[0]);
  fs::resize_file(under("files")[0], 5000);  // without its table
  const auto found = *run_task(care->check());
  EXPECT_EQ(found.contents, 3u);
  EXPECT_EQ(found.missing, 2u);
}

TEST_F(CareTest, ScrubFindsDamageAndRepairKeepsWhatIsGood) {
  std::string bytes = text(200'000, 'a');
  const ContentId large = put(bytes), small = put(text(1000, 'b')), good = put(text(5000, 'c'));
  EXPECT_EQ(scrubbed().damaged, 0u);
  for (const fs::path& file : under("files"))
    if (fs::file_size(file) > 100'000) spoil(file, 150'000);
  spoil(under("segments")[0], 10);
  const ScrubProgress done = scrubbed();
  EXPECT_FALSE(done.running);
  EXPECT_EQ(done.damaged, 2u);
  EXPECT_EQ(done.bytes, 206'000u);
  EXPECT_EQ(run_task(care->check())->damaged, 2u);
  const auto repaired = *run_task(care->repair());
  EXPECT_EQ(repaired.quarantined, 2u);
  EXPECT_EQ(repaired.cleared, 0u);
  EXPECT_EQ(under("quarantine").size(), 2u);
  // The blocks that are good still are, and the damaged ones are still refused.
  EXPECT_EQ(read(*find(large), 0, 131'072), bytes.substr(0, 131'072));
  char byte = 0;
  EXPECT_FALSE(
      run_task((*find(large))->read(150'000, std::as_writable_bytes(std::span(&byte, 1)))));
  EXPECT_FALSE(run_task(objects->verify(small)));
  EXPECT_TRUE(run_task(objects->verify(good)));
  release(large);
  ASSERT_TRUE(run_task(objects->sweep()));
  EXPECT_EQ(run_task(care->usage())->damaged, 1u);
  EXPECT_GE(run_task(care->usage())->quarantine_bytes, 201'000u) << "the copy stays";
}

TEST_F(CareTest, DamageThatIsNoneIsForgotten) {
  const ContentId id = put(text(1000, 'a'));
  spoil(under("segments")[0], 10);
  EXPECT_EQ(scrubbed().damaged, 1u);
  std::fstream(under("segments")[0], std::ios::in | std::ios::out)
      .write(text(1000, 'a').data(), 1000);
  const auto repaired = *run_task(care->repair());
  EXPECT_EQ(repaired.cleared, 1u);
  EXPECT_EQ(repaired.quarantined, 0u);
  EXPECT_EQ(run_task(care->check())->damaged, 0u);
  EXPECT_TRUE(run_task(objects->verify(id)));
}

TEST_F(CareTest, AScrubGoesOnWhereItWas) {
  for (int i = 0; i < 3; ++i) put(text(5000, 'a'));
  ASSERT_TRUE(write([](Tx& tx) {
    return tx.run("UPDATE content_scrub SET cursor = 2, bytes = 10000, started = 1, ended = 0");
  }));
  spoil(under("files")[0], 10);
  spoil(under("files")[1], 10);
  spoil(under("files")[2], 10);
  const auto work = [](ContentCare& on) -> Task<Result<ScrubProgress>> {
    TaskGroup group;
    group.spawn(co_await boost::asio::this_coro::executor, "scrub", on.scrub());
    Result<ScrubProgress> now = co_await on.progress();
    while (now && now->running) {
      (void)co_await sleep_for(std::chrono::milliseconds(5));
      now = co_await on.progress();
    }
    group.cancel();
    co_await group.join();
    co_return now;
  };
  const auto done = *run_task(work(*care));
  EXPECT_EQ(done.bytes, 15'000u);
  EXPECT_EQ(done.damaged, 1u) << "the third alone";
}

}  // namespace
}  // namespace holdfast::store
