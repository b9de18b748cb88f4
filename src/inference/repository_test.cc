#include <future>
#include <thread>

#include "inference/testing.h"

namespace holdfast::inference {
namespace {

TEST_F(RepositoryTest, APutServesAndLasts) {
  const auto loaded = put(1, fake_model(3));
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ((*loaded)->version, 1);
  EXPECT_TRUE((*loaded)->digest.starts_with("sha256:"));
  EXPECT_EQ(current(), 3);
  EXPECT_EQ(*read_file(folder_ + "/m/1/model.onnx"), fake_model(3));
  EXPECT_NE(read_file(folder_ + "/m/1/model.json")->find((*loaded)->digest), std::string::npos);
  EXPECT_EQ(leftovers(), 0U);
  open();
  EXPECT_EQ(current(), 3);
  EXPECT_EQ(state(), "1:READY*");
}

TEST_F(RepositoryTest, TheNewestIsCurrentAndOneOlderStays) {
  for (int64_t version : {1, 2, 4, 3})
    ASSERT_TRUE(put(version, fake_model(static_cast<int>(version))));
  EXPECT_EQ(current(), 4);
  EXPECT_EQ(state(), "3:READY 4:READY*");
  EXPECT_EQ(repository_->versions("m"), (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(engine_.alive(), 2);
  EXPECT_EQ(answer(**repository_->find("m", 3)), 3);
  EXPECT_EQ(repository_->find("m", 1).error().code(), Code::not_found);
  // Older ones that are asked for by number take each other's place, never the current one's.
  for (int64_t version : {1, 2}) ASSERT_TRUE(run_task(repository_->load("m", version)));
  EXPECT_EQ(state(), "2:READY 4:READY*");
  EXPECT_EQ(current(), 4);
}

TEST_F(RepositoryTest, AVersionNeverChanges) {
  const auto first = put(1, fake_model(3));
  EXPECT_EQ(put(1, fake_model(4)).error().code(), Code::conflict);
  const auto again = put(1, fake_model(3));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *first) << "the same bytes are not loaded twice";
  EXPECT_EQ(current(), 3);
  EXPECT_EQ(leftovers(), 0U);
}

TEST_F(RepositoryTest, WhateverFailsTheOldVersionServes) {
  ASSERT_TRUE(put(1, fake_model(3)));
  EXPECT_EQ(put(2, "no model").error().code(), Code::invalid_argument);
  EXPECT_EQ(put(2, "").error().code(), Code::invalid_argument);
  EXPECT_EQ(put(2, fake_model(4) + std::string(1 << 20, '\n')).error().code(), Code::too_large);
  struct Broken final : ByteSource {
    Task<Result<size_t>> read(std::span<std::byte> into) override {
      if (calls++ > 0) co_return fail(Code::unavailable, "the peer is gone");
      into[0] = std::byte{'f'};
      co_return size_t{1};
    }
    int calls = 0;
  } broken;
  EXPECT_EQ(run_task(repository_->put("m", 2, broken, 100)).error().code(), Code::unavailable);
  EXPECT_EQ(state(), "1:READY*");
  EXPECT_EQ(current(), 3);
  EXPECT_FALSE(fs::exists(folder_ + "/m/2"));
  EXPECT_EQ(leftovers(), 0U);
  ASSERT_TRUE(put(2, fake_model(4)));
  EXPECT_EQ(current(), 4);
}

TEST_F(RepositoryTest, NamesAndVersionsAreChecked) {
  for (const std::string& name :
       {std::string(), std::string(".."), std::string(".hidden"), std::string("a/b"),
        std::string("a\0b", 3), std::string(129, 'a')}) {
    EXPECT_EQ(put(1, fake_model(1), name).error().code(), Code::invalid_argument);
    EXPECT_EQ(run_task(repository_->load(name)).error().code(), Code::invalid_argument);
    EXPECT_EQ(run_task(repository_->remove(name, 1)).error().code(), Code::invalid_argument);
  }
  for (int64_t version : {int64_t{0}, int64_t{-1}, INT64_MIN})
    EXPECT_EQ(put(version, fake_model(1)).error().code(), Code::invalid_argument);
  EXPECT_TRUE(put(INT64_MAX, fake_model(1), std::string(128, 'a')));
  EXPECT_EQ(repository_->find("nobody").error().code(), Code::not_found);
  EXPECT_EQ(run_task(repository_->load("nobody")).error().code(), Code::not_found);
  EXPECT_EQ(run_task(repository_->unload("nobody")).error().code(), Code::not_found);
}

TEST_F(RepositoryTest, AnUnloadedModelSaysSoAndComesBack) {
  ASSERT_TRUE(put(2, fake_model(2)));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(run_task(repository_->unload("m")));
    EXPECT_EQ(state(), "2:UNAVAILABLE(unloaded)");
    EXPECT_EQ(engine_.alive(), 0);
    EXPECT_TRUE(repository_->ready()) << "who unloads a model does not wait for it";
    for (int64_t version : {0, 2}) {
      const auto found = repository_->find("m", version);
      ASSERT_EQ(found.error().code(), Code::unavailable);
      EXPECT_NE(found.error().message().find("unloaded"), std::string::npos);
    }
  }
  ASSERT_TRUE(run_task(repository_->load("m")));
  EXPECT_EQ(state(), "2:READY*");
}

// The models end with the last request that runs on them, and that request is answered.
TEST_F(RepositoryTest, UnloadAndSwitchLetRunningRequestsEnd) {
  std::promise<void> started, go;
  bool wait = false;
  engine_.on_run = [&](const auto&) -> Result<void> {
    if (!wait) return {};
    wait = false;
    started.set_value();
    go.get_future().wait();
    return {};
  };
  ASSERT_TRUE(put(1, fake_model(3)));
  wait = true;
  float answered = 0;
  std::thread request([&] {
    const LoadedPtr held = *repository_->find("m");
    answered = answer(*held);
  });
  started.get_future().wait();
  ASSERT_TRUE(put(2, fake_model(4)));
  ASSERT_TRUE(run_task(repository_->unload("m")));
  EXPECT_EQ(engine_.alive(), 1);
  EXPECT_EQ(answered, 0);
  go.set_value();
  request.join();
  EXPECT_EQ(answered, 3);
  EXPECT_EQ(engine_.alive(), 0);
}

// Slow runs and slow loads do not wait for each other.
TEST_F(RepositoryTest, LoadsDelayNoRuns) {
  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  engine_.on_run = [&](const auto&) -> Result<void> {
    gone.wait();
    return {};
  };
  std::vector<std::thread> loads;
  loads.reserve(3);
  std::atomic<int> loaded = 0;
  for (int64_t version : {1, 2, 3}) {
    loads.emplace_back([this, version, &loaded] {
      if (put(version, fake_model(1))) ++loaded;
    });
  }
  while (engine_.runs() == 0) std::this_thread::yield();  // one warms up, the others wait for it
  FakeEngine other;
  std::ofstream(folder_ + "/.other") << fake_model(2);
  Loaded quick;
  quick.model = std::move(*other.load(folder_ + "/.other"));
  const std::vector<float> ones = {1, 1};
  TensorView view;
  view.name = "x";
  view.shape = {1, 2};
  view.data = std::as_bytes(std::span(ones));
  const Inputs inputs = {view};
  const std::vector<std::string> all;
  EXPECT_TRUE(run_task(repository_->scheduler().run(quick, inputs, all, {})).answer);
  EXPECT_EQ(loaded, 0);
  go.set_value();
  for (std::thread& load : loads) load.join();
  EXPECT_EQ(loaded, 3);
}

TEST_F(RepositoryTest, EveryAnswerIsOfOneVersionWhileTheySwitch) {
  ASSERT_TRUE(put(1, fake_model(1)));
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0, answers = 0;
  std::vector<std::thread> askers;
  askers.reserve(2);
  for (int i = 0; i < 2; ++i) {
    askers.emplace_back([&] {
      while (!stop) {
        const auto found = repository_->find("m");
        if (!found || answer(**found) != static_cast<float>((*found)->version)) ++wrong;
        ++answers;
      }
    });
  }
  for (int version = 2; version <= 20; ++version) EXPECT_TRUE(put(version, fake_model(version)));
  while (answers < 100) std::this_thread::yield();
  stop = true;
  for (std::thread& asker : askers) asker.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(current(), 20);
  EXPECT_EQ(engine_.alive(), 2);
}

TEST_F(RepositoryTest, RemoveTakesWhatDoesNotServe) {
  ASSERT_TRUE(put(1, fake_model(1)));
  ASSERT_TRUE(put(2, fake_model(2)));
  EXPECT_EQ(run_task(repository_->remove("m", 2)).error().code(), Code::conflict);
  EXPECT_EQ(run_task(repository_->remove("m", 7)).error().code(), Code::not_found);
  ASSERT_TRUE(run_task(repository_->remove("m", 1)));
  EXPECT_EQ(state(), "2:READY*");
  EXPECT_FALSE(fs::exists(folder_ + "/m/1"));
  ASSERT_TRUE(run_task(repository_->remove("m", 2)));  // the only one: the model goes
  EXPECT_EQ(state(), "");
  EXPECT_EQ(repository_->find("m").error().code(), Code::not_found);
  EXPECT_FALSE(fs::exists(folder_ + "/m"));
  EXPECT_EQ(leftovers(), 0U);
  ASSERT_TRUE(put(1, fake_model(9)));
  EXPECT_EQ(current(), 9);
}

TEST_F(RepositoryTest, ADamagedVersionDoesNotTakeTheModelAway) {
  plant(1, fake_model(1));
  plant(2, "damaged");
  fs::create_directories(folder_ + "/.incoming-half");  // a stop came before its rename
  fs::create_directories(folder_ + "/empty/3");
  open();
  EXPECT_EQ(current(), 1);
  EXPECT_TRUE(repository_->ready());
  EXPECT_EQ(state(), "1:READY* 2:UNAVAILABLE(not a fake model: its first line is another)");
  EXPECT_EQ(repository_->find("m", 2).error().code(), Code::unavailable);
  EXPECT_EQ(leftovers(), 0U);
  ASSERT_TRUE(run_task(repository_->remove("m", 2)));
  EXPECT_EQ(state(), "1:READY*") << "what is removed leaves no reason behind";
}

TEST_F(RepositoryTest, AModelOfDamageAloneIsNotReadyUntilItIsGivenUp) {
  plant(1, "damaged");
  open();
  EXPECT_FALSE(repository_->ready());
  EXPECT_EQ(repository_->find("m").error().code(), Code::unavailable);
  ASSERT_TRUE(run_task(repository_->unload("m")));
  EXPECT_EQ(state(), "1:UNAVAILABLE(unloaded)");
  EXPECT_TRUE(repository_->ready());
  ASSERT_TRUE(put(2, fake_model(2)));
  EXPECT_EQ(current(), 2);
}

}  // namespace
}  // namespace holdfast::inference
