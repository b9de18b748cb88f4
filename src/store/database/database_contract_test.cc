// What every database keeps to, on disk and in memory.
#include <gtest/gtest.h>

#include "net/task_group.h"
#include "store/database/failing_database.h"
#include "store/testing.h"

namespace holdfast::store {
namespace {

const Migration kTable[] = {{1, "CREATE TABLE t(k TEXT PRIMARY KEY, v INTEGER)"}};

struct DatabaseContract : testing::TestWithParam<bool> {
  Folder folder;
  std::unique_ptr<Database> database;
  void SetUp() override {
    database = *open_sqlite({GetParam() ? ":memory:" : (folder.path / "t.db").string()});
    ASSERT_TRUE(database->migrate("test", kTable));
  }
  Result<void> put(std::string key, int64_t value) {
    auto work = [key, value](Tx& tx) -> Result<void> {
      TRY_VOID(tx.run("INSERT INTO t VALUES(?, ?)", {std::string_view(key), value}));
      return {};
    };
    return run_task(database->write(std::move(work)));
  }
  int64_t count() {
    auto work = [](Tx& tx) { return store::count(tx); };
    return *run_task(database->read(std::move(work)));
  }
};

TEST_P(DatabaseContract, WritesAreSeenAndConflictsAreNamed) {
  ASSERT_TRUE(put("a", 1));
  EXPECT_EQ(put("a", 2).error().code(), Code::conflict);
  EXPECT_EQ(count(), 1);
}

TEST_P(DatabaseContract, AFailedWriteLeavesNothing) {
  auto work = [](Tx& tx) -> Result<void> {
    TRY_VOID(tx.run("INSERT INTO t VALUES('x', 1)"));
    return fail(Code::invalid_argument, "no");
  };
  EXPECT_EQ(run_task(database->write(std::move(work))).error().code(), Code::invalid_argument);
  EXPECT_EQ(count(), 0);
}

TEST_P(DatabaseContract, MembersOfAGroupFailAlone) {
  Runtime runtime(2);
  runtime.start();
  TaskGroup group;
  std::atomic<int> good{0}, bad{0};
  const auto one = [](Database& on, int i, std::atomic<int>& good_,
                      std::atomic<int>& bad_) -> Task<void> {
    auto work = [i](Tx& tx) -> Result<void> {
      const std::string key = std::to_string(i / 2);  // every second one is a conflict
      TRY_VOID(tx.run("INSERT INTO t VALUES(?, 0)", {std::string_view(key)}));
      return {};
    };
    auto done = co_await on.write(std::move(work));
    ++(done ? good_ : bad_);
  };
  for (int i = 0; i < 400; ++i)
    group.spawn(runtime.next_executor(), "write", one(*database, i, good, bad));
  run_task(group.join());
  EXPECT_EQ(good, 200);
  EXPECT_EQ(bad, 200);
  EXPECT_EQ(count(), 200);
}

TEST_P(DatabaseContract, WhoseBytesNeverComeToTheDiskFailsAloneAndWritesNothing) {
  Runtime runtime(2);
  runtime.start();
  TaskGroup group;
  std::atomic<int> good{0}, lost{0}, other{0};
  const auto one = [](Database& on, int i, std::atomic<int>& good_, std::atomic<int>& lost_,
                      std::atomic<int>& other_) -> Task<void> {
    auto work = [i](Tx& tx) -> Result<void> {
      const std::string key = std::to_string(i);
      TRY_VOID(tx.run("INSERT INTO t VALUES(?, 0)", {std::string_view(key)}));
      const bool never = i % 4 == 0;
      tx.before_commit([never]() -> Result<void> {
        if (never) return fail(Code::unavailable, "disk_full", "no room");
        return {};
      });
      if (i % 4 == 1) return fail(Code::conflict, "no");  // what it waits for is of no interest
      return {};
    };
    const auto done = co_await on.write(std::move(work));
    ++(done ? good_ : done.error().reason() == "disk_full" ? lost_ : other_);
  };
  for (int i = 0; i < 400; ++i)
    group.spawn(runtime.next_executor(), "write", one(*database, i, good, lost, other));
  run_task(group.join());
  EXPECT_EQ(good, 200);
  EXPECT_EQ(lost, 100);
  EXPECT_EQ(other, 100);
  EXPECT_EQ(count(), 200);
}

TEST_P(DatabaseContract, MigrationsRunOnceAndNewerOnesAreRefused) {
  ASSERT_TRUE(database->migrate("test", kTable));
  const Migration two[] = {kTable[0], {2, "ALTER TABLE t ADD COLUMN w"}};
  ASSERT_TRUE(database->migrate("test", two));
  EXPECT_EQ(database->migrate("test", kTable).error().code(), Code::unsupported);
}

TEST_P(DatabaseContract, AFailureAtTheCommitLeavesNothing) {
  FailingDatabase failing(*database);
  failing.fail_next(Error(Code::unavailable, "the disk is full"));
  const auto insert = [](Tx& tx) -> Result<void> {
    TRY_VOID(tx.run("INSERT INTO t VALUES('x', 1)"));
    return {};
  };
  auto first = insert, second = insert;
  EXPECT_EQ(run_task(failing.write(std::move(first))).error().code(), Code::unavailable);
  EXPECT_EQ(count(), 0);
  EXPECT_TRUE(run_task(failing.write(std::move(second))));
  EXPECT_EQ(count(), 1);
}

INSTANTIATE_TEST_SUITE_P(Backends, DatabaseContract, testing::Bool(),
                         [](const auto& info) { return info.param ? "memory" : "file"; });

}  // namespace
}  // namespace holdfast::store
