#include "inference/testing.h"

namespace holdfast::inference {
namespace {

class ActivateTest : public RepositoryTest {
 protected:
  void put_all(std::initializer_list<int> versions) {
    for (int version : versions) ASSERT_TRUE(put(version, fake_model(version)));
  }
  Result<LoadedPtr> activate(int64_t version) {
    return run_task(repository_->activate("m", version));
  }
};

TEST_F(ActivateTest, AnOlderVersionServesAndLasts) {
  put_all({1, 2, 3});
  ASSERT_TRUE(activate(1));
  EXPECT_EQ(current(), 1);
  open();
  EXPECT_EQ(current(), 1);
  ASSERT_TRUE(activate(3));
  EXPECT_EQ(current(), 3);
  open();
  EXPECT_EQ(current(), 3);
  EXPECT_EQ(activate(7).error().code(), Code::not_found);
  EXPECT_EQ(run_task(repository_->activate("..", 1)).error().code(), Code::invalid_argument);
}

TEST_F(ActivateTest, NoMoreThanTwoStayLoaded) {
  put_all({1, 2, 3, 4});
  for (int64_t version : {1, 2, 3, 1, 4}) {
    ASSERT_TRUE(activate(version));
    EXPECT_EQ((*repository_->find("m"))->version, version);
    EXPECT_LE(engine_.alive(), 2);
  }
}

TEST_F(ActivateTest, WhatCannotBeLoadedLeavesTheCurrentOne) {
  put_all({2});
  plant(1, "damaged");
  EXPECT_EQ(activate(1).error().code(), Code::invalid_argument);
  EXPECT_EQ(current(), 2);
  open();
  EXPECT_EQ(current(), 2);
}

TEST_F(ActivateTest, ADamagedOneGivesWayAtTheStart) {
  put_all({1, 2, 3});
  ASSERT_TRUE(activate(1));
  plant(1, "damaged");
  open();
  EXPECT_EQ(current(), 3);
  EXPECT_TRUE(repository_->ready());
}

// The choice ends with the next put or load that takes its place, over a restart too.
TEST_F(ActivateTest, APutOrALoadEndsTheChoice) {
  put_all({1, 2});
  ASSERT_TRUE(activate(1));
  put_all({3});
  EXPECT_EQ(current(), 3);
  open();
  EXPECT_EQ(current(), 3);

  ASSERT_TRUE(activate(1));
  put_all({2});  // the same bytes again, of one that is not older
  EXPECT_EQ(current(), 2);

  ASSERT_TRUE(activate(1));
  ASSERT_TRUE(run_task(repository_->unload("m")));
  ASSERT_TRUE(run_task(repository_->load("m")));
  EXPECT_EQ(current(), 3);
  open();
  EXPECT_EQ(current(), 3);
}

TEST_F(ActivateTest, RemovingLeavesNothing) {
  put_all({1, 2});
  ASSERT_TRUE(activate(1));
  ASSERT_TRUE(run_task(repository_->remove("m", 2)));
  ASSERT_TRUE(run_task(repository_->remove("m", 1)));
  EXPECT_FALSE(fs::exists(folder_ + "/m"));
  put_all({1, 2});
  ASSERT_TRUE(run_task(repository_->remove_all("m")));
  ASSERT_TRUE(run_task(repository_->remove_all("m"))) << "nothing to remove is fine";
  EXPECT_FALSE(fs::exists(folder_ + "/m"));
  EXPECT_EQ(engine_.alive(), 0);
  EXPECT_EQ(state(), "");
  EXPECT_EQ(leftovers(), 0U);
}

}  // namespace
}  // namespace holdfast::inference
