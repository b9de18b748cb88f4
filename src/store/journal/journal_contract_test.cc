// What every journal keeps to, and what the one on disk does with torn and damaged files.
#include <gtest/gtest.h>

#include <fstream>

#include "net/runtime.h"
#include "store/journal/memory_journal.h"
#include "store/testing.h"

namespace holdfast::store {
namespace {

namespace fs = std::filesystem;

using Records = std::vector<std::pair<Sequence, std::string>>;

Records all_of(Journal& journal) {
  Records out;
  EXPECT_TRUE(journal.replay([&](Sequence sequence, std::string_view record) -> Result<void> {
    out.emplace_back(sequence, std::string(record));
    return {};
  }));
  return out;
}

struct JournalContract : testing::TestWithParam<bool> {
  Folder folder;
  std::unique_ptr<Journal> journal;
  void SetUp() override {
    if (GetParam())
      journal = std::make_unique<MemoryJournal>();
    else
      journal = *open_file_journal({folder.path / "j", 1});  // a segment a record
  }
};

TEST_P(JournalContract, RecordsComeBackInOrder) {
  EXPECT_EQ(journal->last(), 0u);
  for (Sequence i = 1; i <= 20; ++i)
    EXPECT_EQ(*run_task(journal->append("record " + std::to_string(i))), i);
  ASSERT_EQ(all_of(*journal).size(), 20u);
  EXPECT_EQ(all_of(*journal)[19], Records::value_type(20, "record 20"));
  EXPECT_EQ(journal->last(), 20u);
}

TEST_P(JournalContract, TrimLetsGoOfTheFrontAlone) {
  for (int i = 1; i <= 20; ++i) ASSERT_TRUE(run_task(journal->append("r")));
  ASSERT_TRUE(run_task(journal->trim(15)));
  const auto left = all_of(*journal);
  ASSERT_GE(left.size(), 5u);
  EXPECT_EQ(left.back().first, 20u);
  EXPECT_EQ(left.front().first, 21 - left.size());
  EXPECT_EQ(*run_task(journal->append("next")), 21u);
}

TEST_P(JournalContract, ReplayStopsAtTheReadersError) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(run_task(journal->append("r")));
  int seen = 0;
  const auto done = journal->replay([&](Sequence, std::string_view) -> Result<void> {
    return ++seen == 2 ? Result<void>(fail(Code::conflict, "enough")) : Result<void>();
  });
  EXPECT_EQ(done.error().code(), Code::conflict);
  EXPECT_EQ(seen, 2);
}

TEST_P(JournalContract, ATooLargeRecordIsRefused) {
  EXPECT_EQ(run_task(journal->append(std::string(kRecordLimit + 1, 'x'))).error().code(),
            Code::too_large);
  EXPECT_EQ(journal->last(), 0u);
}

TEST_P(JournalContract, AFailedAppendLeavesNothing) {
  FailingJournal failing(*journal);
  failing.fail_next(Error(Code::unavailable, "the disk is full"));
  EXPECT_EQ(run_task(failing.append("lost")).error().code(), Code::unavailable);
  EXPECT_EQ(*run_task(failing.append("kept")), 1u);
  EXPECT_EQ(all_of(failing), (Records{{1, "kept"}}));
}

INSTANTIATE_TEST_SUITE_P(Backends, JournalContract, testing::Bool(),
                         [](const auto& info) { return info.param ? "memory" : "file"; });

struct FileJournal : testing::Test {
  Folder folder;
  std::unique_ptr<Journal> journal;
  Result<void> open(uint64_t limit = 200) {
    journal.reset();
    auto made = open_file_journal({folder.path / "j", limit});
    if (!made) return std::unexpected(made.error());
    journal = std::move(*made);
    return {};
  }
  std::vector<std::pair<Sequence, std::string>> all() {
    std::vector<std::pair<Sequence, std::string>> out;
    EXPECT_TRUE(journal->replay([&](Sequence sequence, std::string_view record) -> Result<void> {
      out.emplace_back(sequence, std::string(record));
      return {};
    }));
    return out;
  }
  std::vector<fs::path> segments() {
    std::vector<fs::path> out;
    for (const auto& entry : fs::directory_iterator(folder.path / "j")) {
      if (entry.path().extension() == ".log") out.push_back(entry.path());
    }
    std::sort(out.begin(), out.end());
    return out;
  }
};

TEST_F(FileJournal, RecordsComeBackInOrderAndTrimLets) {
  ASSERT_TRUE(open());
  for (int i = 1; i <= 50; ++i)
    EXPECT_EQ(*run_task(journal->append("record " + std::to_string(i))), static_cast<Sequence>(i));
  ASSERT_TRUE(open());
  ASSERT_EQ(all().size(), 50u);
  EXPECT_EQ(all()[49].second, "record 50");
  ASSERT_TRUE(run_task(journal->trim(30)));
  const size_t before = segments().size();
  EXPECT_LT(before, 12u);
  ASSERT_TRUE(open());
  EXPECT_EQ(all().front().first, 31u);
  EXPECT_EQ(*run_task(journal->append("next")), 51u);
}

TEST_F(FileJournal, ATornTailIsCutWhereverItTears) {
  ASSERT_TRUE(open(1 << 20));
  for (const char* record : {"one", "two", "the last one"})
    ASSERT_TRUE(run_task(journal->append(record)));
  journal.reset();
  const fs::path file = segments().front();
  const auto size = fs::file_size(file);
  std::ifstream in(file, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  for (size_t cut = size - 27; cut < size; ++cut) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes.substr(0, cut);
    ASSERT_TRUE(open(1 << 20)) << cut;
    EXPECT_EQ(all().size(), 2u) << cut;
    EXPECT_EQ(journal->last(), 2u);
    journal.reset();
  }
}

TEST_F(FileJournal, DamageBeforeTheEndIsAnError) {
  ASSERT_TRUE(open(1 << 20));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(run_task(journal->append("record")));
  journal.reset();
  std::fstream file(segments().front(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(18);
  file.put('!');
  file.close();
  EXPECT_EQ(open(1 << 20).error().code(), Code::internal);
}

TEST_F(FileJournal, AMissingSegmentIsAnError) {
  ASSERT_TRUE(open());
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(run_task(journal->append("record of some length")));
  journal.reset();
  ASSERT_GT(segments().size(), 3u);
  fs::remove(segments()[1]);
  EXPECT_EQ(open().error().code(), Code::internal);
}

}  // namespace
}  // namespace holdfast::store
