// What the object store on disk does with its files: restarts, sweeps, damage, kills.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fstream>
#include <random>
#include <thread>

#include "store/objects/testing.h"

namespace holdfast::store {
namespace {

namespace fs = std::filesystem;

struct FileObjects : testing::Test, ObjectRig {
  void SetUp() override { open(); }
  void open() {
    objects.reset();
    database.reset();
    database = *open_sqlite({folder.path / "s.db"});
    FileObjectsOptions options;
    options.directory = folder.path / "content";
    options.segment_limit = 10'000;
    options.small_limit = 4000;
    auto made = open_file_objects(options, *database);
    ASSERT_TRUE(made) << made.error().message();
    objects = std::move(*made);
  }
  size_t files() {
    size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder.path / "content/files"))
      count += entry.is_regular_file() ? 1 : 0;
    return count;
  }
};

TEST_F(FileObjects, EverySizeComesBackAlsoAfterAReopen) {
  std::vector<std::pair<ContentId, std::string>> all;
  for (size_t size : {0u, 1u, 999u, 4000u, 4001u, 50'000u})
    all.emplace_back(put(text(size, 'a')), text(size, 'a'));
  for (int round = 0; round < 2; ++round) {
    for (const auto& [id, bytes] : all) {
      EXPECT_EQ(read(*find(id)), bytes);
      EXPECT_TRUE(run_task(objects->verify(id)));
    }
    open();
  }
  EXPECT_EQ(files(), 2u);
}

// A block of the file is written as often as something comes into it, around what readers see.
TEST_F(FileObjects, ASegmentIsReadWhileItGrows) {
  std::mt19937 random(7);
  std::vector<std::pair<ContentId, std::string>> all;
  for (int i = 0; i < 60; ++i) {
    const std::string bytes = text(random() % 4001, static_cast<char>('a' + i % 6));
    all.emplace_back(put(bytes), bytes);
    const auto& [id, wanted] = all[random() % all.size()];
    EXPECT_EQ(read(*find(id)), wanted);
  }
  for (const auto& [id, bytes] : all) EXPECT_EQ(read(*find(id)), bytes);
}

TEST_F(FileObjects, ASegmentIsAllocatedAheadAndCutWhenItIsLeft) {
  const auto sizes = [this] {
    std::vector<uint64_t> out;
    for (const auto& entry : fs::directory_iterator(folder.path / "content/segments"))
      out.push_back(entry.file_size());
    std::ranges::sort(out);
    return out;
  };
  const ContentId first = put(text(100, 'a'));
  ASSERT_EQ(sizes().size(), 1u);
  EXPECT_EQ(sizes()[0], 10'000u);
  for (int i = 0; i < 4; ++i) put(text(3000, 'b'));  // fills it
  put(text(10, 'c'));                                // begins the next
  EXPECT_EQ(sizes(), (std::vector<uint64_t>{10'000, 12'100}));
  open();
  EXPECT_EQ(sizes(), (std::vector<uint64_t>{10, 12'100}));
  EXPECT_EQ(read(*find(first)), text(100, 'a'));
}

TEST_F(FileObjects, AFileGoesWithItsLastHolder) {
  const ContentId a = put(text(9000, 'a'));
  const ContentId whole = *write([this, a](Tx& tx) { return objects->concatenate(tx, {a}); });
  release(a);
  ASSERT_TRUE(run_task(objects->sweep()));
  EXPECT_EQ(files(), 1u);
  release(whole);
  ASSERT_TRUE(run_task(objects->sweep()));
  EXPECT_EQ(files(), 0u);
}

// Parts go to the disk while the next are taken: sizes around their borders.
TEST_F(FileObjects, PartsBecomeOneFile) {
  constexpr size_t kPart = 512 << 10;
  for (size_t size : {kPart - 1, kPart, kPart + 1, 2 * kPart, 3 * kPart + 4097}) {
    const std::string bytes = text(size, 'a');
    const ContentId id = put(bytes);
    EXPECT_EQ(read(*find(id)), bytes) << size;
    EXPECT_TRUE(run_task(objects->verify(id))) << size;
  }
  EXPECT_EQ(files(), 5u);
}

TEST_F(FileObjects, AnAbandonedContentLeavesNoFile) {
  const auto abandon = [](ObjectStore& on) -> Task<Result<void>> {
    CO_TRY(auto writer, co_await on.create(std::nullopt));
    const std::string bytes = text(1 << 20, 'a');
    co_return co_await writer->append(as_bytes(bytes));
  };
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(run_task(abandon(*objects)));
  objects.reset();  // what was under way is at its end
  EXPECT_EQ(files(), 0u);
}

// More than have much memory: the others write in little parts.
TEST_F(FileObjects, ManyWritersAtOnceKeepTheirBytesApart) {
  const auto work = [](ObjectStore& on) -> Task<Result<std::vector<StagedContent>>> {
    std::vector<std::unique_ptr<ContentWriter>> writers(40);
    for (auto& writer : writers) {
      CO_TRY(writer, co_await on.create(600'000));
    }
    for (int part = 0; part < 6; ++part) {
      for (size_t i = 0; i < writers.size(); ++i) {
        const std::string bytes = text(100'000, static_cast<char>('A' + i));
        CO_TRY_VOID(co_await writers[i]->append(as_bytes(bytes)));
      }
    }
    std::vector<StagedContent> out;
    out.reserve(writers.size());
    for (auto& writer : writers) {
      CO_TRY(StagedContent staged, co_await writer->finish());
      out.push_back(std::move(staged));
    }
    co_return out;
  };
  const auto staged = *run_task(work(*objects));
  for (size_t i = 0; i < staged.size(); ++i) {
    const auto id = *write([&](Tx& tx) { return objects->add(tx, staged[i]); });
    std::string wanted;
    for (int part = 0; part < 6; ++part) wanted += text(100'000, static_cast<char>('A' + i));
    EXPECT_EQ(read(*find(id)), wanted) << i;
  }
}

TEST_F(FileObjects, AFailedWriteIsToldAtTheEndAtTheLatest) {
  fs::remove_all(folder.path / "content/files");
  std::ofstream(folder.path / "content/files") << "no folder";
  for (size_t size : {5000u, 600'000u, 3'000'000u}) {
    const auto work = [](ObjectStore& on, size_t length) -> Task<Result<StagedContent>> {
      CO_TRY(auto writer, co_await on.create(std::nullopt));
      const std::string bytes = text(length, 'a');
      CO_TRY_VOID(co_await writer->append(as_bytes(bytes)));
      co_return co_await writer->finish();
    };
    EXPECT_FALSE(run_task(work(*objects, size))) << size;
  }
}

// While the disk syncs what came first, the rest is taken into further parts.
TEST_F(FileObjects, ALargeContentIsTakenWhileTheDiskSyncs) {
  std::string bytes((18 << 20) + 12'345, '\0');
  std::mt19937_64 random(3);
  for (size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    const uint64_t word = random();
    std::memcpy(bytes.data() + at, &word, 8);
  }
  const auto work = [](ObjectStore& on, const std::string& all) -> Task<Result<StagedContent>> {
    CO_TRY(auto writer, co_await on.create(all.size()));
    own_sync::calls = 0;
    own_sync::held = true;
    for (size_t at = 0; at < all.size(); at += 100'000) {
      const auto piece = std::string_view(all).substr(at, 100'000);
      CO_TRY_VOID(co_await writer->append(as_bytes(piece)));
    }
    while (own_sync::calls == 0) std::this_thread::yield();
    own_sync::held = false;
    own_sync::held.notify_all();
    co_return co_await writer->finish();
  };
  const auto staged = run_task(work(*objects, bytes));
  ASSERT_TRUE(staged);
  EXPECT_GE(own_sync::calls, 3);
  const auto id = *write([&](Tx& tx) { return objects->add(tx, *staged); });
  EXPECT_TRUE(read(*find(id)) == bytes);
}

// A large content is synced on its way already. Where that fails, the sync at the end may well
// succeed, for the system tells of it once: the content fails all the same.
TEST_F(FileObjects, AFailedSyncOnTheWayIsNoSuccessAtTheEnd) {
  const auto work = [](ObjectStore& on) -> Task<Result<StagedContent>> {
    CO_TRY(auto writer, co_await on.create(100 << 20));
    const std::string bytes(1 << 20, 'x');
    own_sync::failures = 0;
    own_sync::failing = true;
    Result<void> appended;
    for (int i = 0; i < 100 && own_sync::failures == 0 && appended; ++i)
      appended = co_await writer->append(as_bytes(bytes));
    own_sync::failing = false;
    if (!appended) co_return std::unexpected(appended.error());
    co_return co_await writer->finish();
  };
  EXPECT_FALSE(run_task(work(*objects)));
  EXPECT_EQ(own_sync::failures, 1);
  EXPECT_EQ(files(), 0u);
}

// Bytes between finish() and add() are held by no row; a sweep that empties their segment must
// leave them.
TEST_F(FileObjects, ASweepSparesWhatIsStaged) {
  const ContentId neighbour = put(text(3000, 'a'));
  const StagedContent staged = stage(text(3000, 'b'));
  for (int i = 0; i < 5; ++i) put(text(3900, 'c'));  // the next segment is current
  release(neighbour);
  ASSERT_TRUE(run_task(objects->sweep()));
  const ContentId id = *write([this, staged](Tx& tx) { return objects->add(tx, staged); });
  EXPECT_EQ(read(*find(id)), text(3000, 'b'));
}

// Of a segment of which most has gone, the rest moves, and its file goes at the sweep after.
TEST_F(FileObjects, SegmentsAreMovedTogether) {
  std::vector<ContentId> ids;
  ids.reserve(30);
  for (int i = 0; i < 30; ++i) ids.push_back(put(text(2000, static_cast<char>('a' + i))));
  const auto segments = [this] {
    size_t count = 0;
    for (const auto& entry : fs::directory_iterator(folder.path / "content/segments"))
      count += entry.is_regular_file() ? 1 : 0;
    return count;
  };
  ASSERT_EQ(segments(), 6u);
  open();  // nothing is staged any more
  put("opens the segment after");
  std::vector<std::pair<ContentId, std::string>> kept;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i % 5 == 3) {
      kept.emplace_back(ids[i], text(2000, static_cast<char>('a' + i)));
    } else {
      release(ids[i]);
    }
  }
  const auto reader = *find(kept[0].first);
  ASSERT_TRUE(run_task(objects->sweep()));
  EXPECT_EQ(segments(), 7u + 1u) << "they stay for one sweep";
  ASSERT_TRUE(run_task(objects->sweep()));
  EXPECT_LE(segments(), 3u);
  EXPECT_EQ(read(reader), kept[0].second);
  for (int round = 0; round < 2; ++round) {
    for (const auto& [id, bytes] : kept) {
      EXPECT_EQ(read(*find(id)), bytes);
      EXPECT_TRUE(run_task(objects->verify(id)));
    }
    open();
  }
}

TEST_F(FileObjects, AnotherFormatIsRefused) {
  objects.reset();
  std::ofstream(folder.path / "content/VERSION") << "holdfast contents 3\n";
  FileObjectsOptions options;
  options.directory = folder.path / "content";
  const auto opened = open_file_objects(options, *database);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Code::unsupported);
  EXPECT_NE(opened.error().message().find("contents 3"), std::string::npos);
}

TEST_F(FileObjects, AChangedByteIsFoundByVerify) {
  const ContentId small = put(text(100, 'a')), large = put(text(9000, 'a'));
  for (const auto& entry : fs::recursive_directory_iterator(folder.path / "content")) {
    if (!entry.is_regular_file()) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(50);
    file.put('!');
  }
  EXPECT_EQ(run_task(objects->verify(small)).error().code(), Code::internal);
  EXPECT_EQ(run_task(objects->verify(large)).error().code(), Code::internal);
}

TEST_F(FileObjects, ContentsOfAnotherDatabaseAreNotErased) {
  put("bytes");
  objects.reset();
  database.reset();
  for (const char* name : {"s.db", "s.db-wal", "s.db-shm"}) fs::remove(folder.path / name);
  database = *open_sqlite({folder.path / "s.db"});
  FileObjectsOptions options;
  options.directory = folder.path / "content";
  EXPECT_EQ(open_file_objects(options, *database).error().code(), Code::internal);
  EXPECT_FALSE(fs::is_empty(folder.path / "content/segments"));
}

// A child puts contents and says each one's id when it is acknowledged; it is killed at a random
// moment.
TEST_F(FileObjects, WhatWasAcknowledgedSurvivesAKill) {
  std::mt19937 random(7);
  objects.reset();
  database.reset();
  size_t acknowledged = 0;
  for (int trial = 0; trial < 40; ++trial) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      open();
      for (int i = 0;; ++i) {
        const size_t size = static_cast<size_t>(i * 977 % 9000);
        const ContentId id = put(text(size, static_cast<char>('a' + i % 5)));
        const int64_t words[3] = {static_cast<int64_t>(id), static_cast<int64_t>(size), i % 5};
        if (::write(ends[1], words, sizeof words) != sizeof words) ::_exit(1);
      }
    }
    ::close(ends[1]);
    int64_t words[3];
    std::vector<std::array<int64_t, 3>> said;
    const size_t wanted = 1 + random() % 20;
    while (said.size() < wanted && ::read(ends[0], words, sizeof words) == sizeof words)
      said.push_back({words[0], words[1], words[2]});
    ::kill(child, SIGKILL);
    while (::read(ends[0], words, sizeof words) == sizeof words)
      said.push_back({words[0], words[1], words[2]});
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    open();
    for (const auto& [id, size, kind] : said) {
      const auto content = find(static_cast<ContentId>(id));
      ASSERT_TRUE(content) << content.error().message();
      EXPECT_EQ(read(*content), text(static_cast<size_t>(size), static_cast<char>('a' + kind)));
    }
    acknowledged += said.size();
    objects.reset();
    database.reset();
  }
  EXPECT_GT(acknowledged, 100u);
}

}  // namespace
}  // namespace holdfast::store
