#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "store/database/few_rows.h"
#include "store/testing.h"

namespace holdfast::store {
namespace {

const Migration kTable[] = {{1, "CREATE TABLE t(k INTEGER PRIMARY KEY, v BLOB)"}};

struct SqliteDatabaseTest : testing::Test {
  SqliteDatabaseTest() { open(); }
  void open() {
    database.reset();
    SqliteOptions options;
    options.path = path();
    auto opened = open_sqlite(options);
    database = std::move(*opened);
    EXPECT_TRUE(database->migrate("test", kTable));
  }
  std::string path() const { return (folder.path / "test.db").string(); }
  void put(int64_t key, const std::string& value) {
    const auto work = [&](Tx& tx) -> Result<void> {
      TRY_VOID(tx.run("INSERT INTO t VALUES(?, ?)", {key, as_bytes(value)}));
      return {};
    };
    ASSERT_TRUE(database->write_now(work));
  }

  Folder folder;
  std::unique_ptr<Database> database;
};

TEST_F(SqliteDatabaseTest, AFewRowsAreReadOnTheCallersThread) {
  for (int64_t key = 1; key <= 50; ++key) {
    put(key, "x");
    std::thread::id ran;
    auto work = [&](Tx& tx) {
      ran = std::this_thread::get_id();
      return count(tx);
    };
    EXPECT_EQ(run_task(read_few(*database, std::move(work))).value_or(0), key);
    EXPECT_EQ(ran, std::this_thread::get_id());
  }
}

TEST_F(SqliteDatabaseTest, AReadUnderWayDuringACommitSeesNothingOfItAndTheNextOneAll) {
  put(1, "x");
  auto during = [&](Tx& tx) -> Result<int64_t> {
    TRY(const int64_t before, count(tx));
    put(2, "y");
    TRY(const int64_t after, count(tx));
    return 10 * before + after;
  };
  EXPECT_EQ(run_task(read_few(*database, std::move(during))).value_or(0), 11);
  auto rows = [](Tx& tx) { return count(tx); };
  EXPECT_EQ(run_task(read_few(*database, std::move(rows))).value_or(0), 2);
}

TEST_F(SqliteDatabaseTest, WithoutAFreeConnectionAFewRowsAreReadElsewhere) {
  put(1, "x");
  auto* const reader = dynamic_cast<FewRowsReader*>(database.get());
  ASSERT_NE(reader, nullptr);
  size_t here = 0;
  // Each holds one connection while it asks for a further one.
  std::function<Result<void>(Tx&)> work = [&](Tx&) -> Result<void> {
    ++here;
    if (const auto inner = reader->read_here(work)) return inner->outcome;
    auto rows = [](Tx& tx) { return count(tx); };
    TRY(const int64_t found, run_task(read_few(*database, std::move(rows))));
    return found == 1 ? Result<void>() : fail(Code::internal, "not the row");
  };
  const auto outcome = reader->read_here(work);
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->outcome);
  EXPECT_GE(here, 1u);
  const auto nothing = [](Tx&) { return Result<void>(); };
  EXPECT_TRUE(reader->read_here(nothing));  // they came back
}

TEST_F(SqliteDatabaseTest, TheLogBeginsAnewWhileWritesGoOn) {
  const std::string value(1'000'000, 'v');
  uintmax_t largest = 0;
  for (int64_t key = 1; key <= 300; ++key) {  // 300 MB through the log
    put(key, value);
    // A reader's snapshot, which it keeps, does not hold the log.
    auto rows = [](Tx& tx) { return count(tx); };
    ASSERT_EQ(run_task(read_few(*database, std::move(rows))).value_or(0), key);
    largest = std::max(largest, std::filesystem::file_size(path() + "-wal"));
  }
  EXPECT_LT(largest, uintmax_t{200} << 20);
  open();
  auto rows = [](Tx& tx) { return count(tx); };
  EXPECT_EQ(run_task(database->read(std::move(rows))).value_or(0), 300);
}

}  // namespace
}  // namespace holdfast::store
