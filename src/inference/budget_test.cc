#include <gtest/gtest.h>

#include <random>

#include "inference/testing.h"

namespace holdfast::inference {
namespace {

constexpr uint64_t kSize = 100'000;  // of a model's file, more than the fake engine takes for it

std::string sized_model(int factor) {
  std::string text = fake_model(factor);
  text.resize(kSize, '\n');
  return text;
}

class BudgetTest : public RepositoryTest {
 protected:
  void reopen(uint64_t bytes, std::vector<std::string> pinned = {}) {
    repository_.reset();
    repository_ = std::move(*Repository::open(folder_, engine_, {}, {bytes, std::move(pinned)}));
  }
  void used_at(const std::string& name, uint64_t ms) {
    (*repository_->find(name))->statistics.last_ms = ms;
  }
  Result<LoadedPtr> acquire(const std::string& name, int64_t version = 0) {
    return run_task(repository_->acquire(name, version));
  }
  std::string loaded() const {
    std::string out;
    for (const Entry& entry : repository_->list()) out += entry.state == "READY" ? entry.name : "";
    return out;
  }
  static constexpr uint64_t kFuture = 1ull << 50;  // ms
};

TEST_F(BudgetTest, TheLeastRecentlyUsedMakesRoomAndComesBack) {
  reopen(2 * kSize + kSize / 2);
  ASSERT_TRUE(put(1, sized_model(1), "a"));
  ASSERT_TRUE(put(1, sized_model(2), "b"));
  used_at("a", kFuture + 2);
  used_at("b", kFuture + 1);
  ASSERT_TRUE(put(1, sized_model(3), "c"));
  EXPECT_EQ(loaded(), "ac");
  EXPECT_EQ(engine_.alive(), 2);
  EXPECT_TRUE(repository_->ready());
  EXPECT_EQ(repository_->find("b").error().reason(), kEvictedReason);
  const auto b = acquire("b");
  ASSERT_TRUE(b);
  EXPECT_EQ(answer(**b), 2);
  EXPECT_EQ(loaded(), "ab");  // c was not used since it was loaded
  EXPECT_EQ(engine_.alive(), 2);
}

TEST_F(BudgetTest, WhatIsPinnedStaysAndTheRestIsRefused) {
  reopen(2 * kSize + kSize / 2, {"a", "b"});
  ASSERT_TRUE(put(1, sized_model(1), "a"));
  ASSERT_TRUE(put(1, sized_model(2), "b"));
  const auto refused = put(1, sized_model(3), "c");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::unavailable);
  EXPECT_EQ(refused.error().reason(), "no_memory");
  EXPECT_EQ(loaded(), "ab");
  EXPECT_EQ(leftovers(), 0u);
  EXPECT_EQ(acquire("c").error().code(), Code::not_found);
}

TEST_F(BudgetTest, AStartLoadsWhatFitsPinnedOnesInAnyCase) {
  for (const char* name : {"a", "b", "c", "d"}) ASSERT_TRUE(put(1, sized_model(4), name));
  reopen(2 * kSize + kSize / 2, {"d"});
  EXPECT_EQ(engine_.alive(), 2);
  EXPECT_NE(loaded().find('d'), std::string::npos);
  EXPECT_TRUE(repository_->ready());
  for (const char* name : {"a", "b", "c", "d"}) EXPECT_EQ(answer(**acquire(name)), 4);
  EXPECT_EQ(engine_.alive(), 2);
  EXPECT_NE(loaded().find('d'), std::string::npos);
}

TEST_F(BudgetTest, OtherVersionsGoBeforeCurrentOnesAndTheCurrentOneStaysIt) {
  reopen(3 * kSize + kSize / 2);
  ASSERT_TRUE(put(1, sized_model(1)));
  ASSERT_TRUE(put(2, sized_model(2)));
  used_at("m", kFuture);
  ASSERT_TRUE(put(1, sized_model(3), "x"));
  ASSERT_TRUE(put(1, sized_model(4), "y"));
  EXPECT_EQ(current(), 2);
  EXPECT_EQ(repository_->find("m", 1).error().reason(), kEvictedReason);
  EXPECT_EQ(answer(**acquire("m", 1)), 1);
  EXPECT_EQ(answer(**acquire("m")), 2);  // asking for another one made nothing current
}

TEST_F(BudgetTest, UnloadedIsNotEvicted) {
  reopen(kSize + kSize / 2);
  ASSERT_TRUE(put(1, sized_model(1), "a"));
  ASSERT_TRUE(put(1, sized_model(2), "b"));
  ASSERT_TRUE(run_task(repository_->unload("a")));
  const auto refused = acquire("a");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().reason(), kEvictedReason);
  EXPECT_TRUE(repository_->ready());
}

TEST_F(BudgetTest, ManyCallersOfMoreThanFitsGetTheirOwn) {
  reopen(2 * kSize + kSize / 2);
  const std::vector<std::string> names = {"a", "b", "c", "d"};
  for (size_t i = 0; i < names.size(); ++i)
    ASSERT_TRUE(put(1, sized_model(static_cast<int>(i) + 1), names[i]));
  std::atomic<int> wrong{0};
  std::vector<std::thread> clients;
  for (unsigned client = 0; client < 6; ++client) {
    clients.emplace_back([&, client] {
      std::mt19937 random(client);
      for (int i = 0; i < 15; ++i) {
        const size_t which = random() % names.size();
        const auto model = acquire(names[which]);
        if (!model || answer(**model) != static_cast<float>(which + 1)) ++wrong;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(engine_.alive(), 2);
}

}  // namespace
}  // namespace holdfast::inference
