#include <gtest/gtest.h>

#include <future>
#include <random>

#include "inference/scheduler_testing.h"

namespace holdfast::inference {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

Outcome ask(Scheduler& scheduler, Loaded& loaded, const std::vector<float>& values,
            RunOptions options = {}) {
  TensorView view;
  view.name = "x";
  view.shape = {static_cast<int64_t>(values.size() / 2), 2};
  view.data = std::as_bytes(std::span(values));
  const Inputs inputs = {view};
  const std::vector<std::string> all;
  return run_task(scheduler.run(loaded, inputs, all, options));
}

std::future<Outcome> ask_aside(Scheduler& scheduler, Loaded& loaded, float value,
                               RunOptions options = {}) {
  return std::async(std::launch::async, [&scheduler, &loaded, value, options] {
    return ask(scheduler, loaded, {value, value}, options);
  });
}

void until(const std::function<bool()>& holds) {
  const auto deadline = Clock::now() + 20s;
  while (!holds()) {
    ASSERT_LT(Clock::now(), deadline);
    std::this_thread::yield();
  }
}

// Holds every run until it is opened; notes the first value of each, in order.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  std::vector<float> seen;
  Result<void> pass(const std::vector<float>& values) {
    std::unique_lock lock(mutex);
    seen.push_back(values.front());
    changed.wait(lock, [this] { return open; });
    return {};
  }
  size_t count() {
    const std::lock_guard lock(mutex);
    return seen.size();
  }
  void let_go() {
    const std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }
};

class ClientsTest : public ::testing::TestWithParam<unsigned> {};

TEST_P(ClientsTest, EveryCallerGetsExactlyItsRows) {
  Served served;
  served.model->before = [](const std::vector<float>&) -> Result<void> {
    std::this_thread::sleep_for(300us);  // whatever the rows: merging pays
    return {};
  };
  Scheduler scheduler({.lanes = GetParam(), .queue = 64});
  std::atomic<int> wrong{0}, untold{0};
  std::vector<std::thread> clients;
  clients.reserve(16);
  for (unsigned client = 0; client < 16; ++client) {
    clients.emplace_back([&, client] {
      std::mt19937 random(client);
      for (int i = 0; i < 60; ++i) {
        std::vector<float> values(2 * (1 + random() % 9));
        for (float& value : values) value = static_cast<float>(random() % 1'000'000);
        const Outcome outcome = ask(scheduler, served.loaded, values);
        for (float& value : values) value *= 3;
        if (!outcome.answer || values_of(outcome) != values ||
            outcome.answer->at(0).shape != std::vector<int64_t>{int64_t(values.size() / 2), 2})
          ++wrong;
        // Also where it was merged with others.
        if (outcome.timing.queue <= 0 || outcome.ran == MonoTime()) ++untold;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(untold, 0) << "how long they waited, and when they ran";
  const Totals totals = served.loaded.statistics.read();
  EXPECT_LT(totals.executions, 16u * 60 / 2) << "nothing was merged";
  EXPECT_EQ(served.loaded.statistics.pending.load(), 0);
  EXPECT_FALSE(served.loaded.queue.refused);
}

INSTANTIATE_TEST_SUITE_P(Lanes, ClientsTest, ::testing::Values(1u, 2u, 4u));

TEST(Scheduler, RowsThatGetNoCheaperTogetherAreRunSingly) {
  Served served;
  Gate gate;
  served.model->before = [&](const auto& values) { return gate.pass(values); };
  served.loaded.queue.curve.learn(1, 1000);
  served.loaded.queue.curve.learn(2, 3'600'000'000'000);
  Scheduler scheduler({.lanes = 1});
  std::vector<std::future<Outcome>> asked;
  asked.reserve(8);
  for (int i = 0; i < 8; ++i) asked.push_back(ask_aside(scheduler, served.loaded, 1));
  until([&] { return served.loaded.statistics.pending == 7; });
  gate.let_go();
  for (auto& each : asked) EXPECT_TRUE(each.get().answer);
  EXPECT_EQ(gate.seen.size(), 8u);
  EXPECT_EQ(served.loaded.statistics.read().batches[1].runs, 8u);
}

TEST(Scheduler, AFullQueueRefuses) {
  Served served;
  Gate gate;
  served.model->before = [&](const auto& values) { return gate.pass(values); };
  Scheduler scheduler({.lanes = 1, .queue = 2});
  std::vector<std::future<Outcome>> asked;
  asked.push_back(ask_aside(scheduler, served.loaded, 1));
  until([&] { return gate.count() == 1; });
  for (float value : {2.0F, 3.0F}) asked.push_back(ask_aside(scheduler, served.loaded, value));
  until([&] { return served.loaded.statistics.pending == 2; });
  const Outcome refused = ask(scheduler, served.loaded, {4, 4});
  EXPECT_EQ(refused.answer.error().code(), Code::unavailable);
  EXPECT_EQ(refused.answer.error().reason(), "queue_full");
  gate.let_go();
  for (auto& each : asked) EXPECT_TRUE(each.get().answer);
}

TEST(Scheduler, ADeadlineIsToldWhenItPasses) {
  Served served;
  Gate gate;
  served.model->before = [&](const auto& values) { return gate.pass(values); };
  Scheduler scheduler({.lanes = 1});
  auto running = ask_aside(scheduler, served.loaded, 1);
  until([&] { return gate.count() == 1; });
  auto patient = ask_aside(scheduler, served.loaded, 2, {.deadline = Clock::now() + 1h});
  const auto start = Clock::now();
  const Outcome late = ask(scheduler, served.loaded, {3, 3}, {.deadline = start + 30ms});
  EXPECT_EQ(late.answer.error().code(), Code::timed_out);
  EXPECT_GE(Clock::now() - start, 30ms);
  EXPECT_EQ(gate.count(), 1u);  // the lane is held all the while
  gate.let_go();
  EXPECT_TRUE(running.get().answer);
  EXPECT_TRUE(patient.get().answer);
  EXPECT_EQ(gate.seen.size(), 2u);
}

TEST(Scheduler, TheHigherPriorityRunsFirst) {
  Served served;
  Gate gate;
  served.model->before = [&](const auto& values) { return gate.pass(values); };
  Scheduler scheduler({.lanes = 1, .merge = false});
  std::vector<std::future<Outcome>> asked;
  asked.push_back(ask_aside(scheduler, served.loaded, 1));
  until([&] { return gate.count() == 1; });
  int64_t waiting = 0;
  for (const auto& [value, priority] :
       {std::pair(2.0F, 9u), {3.0F, 0u}, {4.0F, 0u}, {5.0F, 1u}, {6.0F, 100u}}) {
    asked.push_back(ask_aside(scheduler, served.loaded, value, {.priority = priority}));
    ++waiting;
    until([&] { return served.loaded.statistics.pending == waiting; });
  }
  gate.let_go();
  for (auto& each : asked) EXPECT_TRUE(each.get().answer);
  EXPECT_EQ(gate.seen, (std::vector<float>{1, 5, 3, 4, 2, 6}));
}

TEST(Scheduler, AFloodOfOneModelDoesNotStarveAnother) {
  Served flooded("flooded"), other("other");
  Gate gate;
  // Long, so that a busy machine's pauses are not taken for a model's own time.
  const auto slow = [&](const std::vector<float>& values) {
    std::this_thread::sleep_for(20ms);
    return gate.pass(values);
  };
  flooded.model->before = other.model->before = slow;
  Scheduler scheduler({.lanes = 1, .merge = false});
  std::vector<std::future<Outcome>> asked;
  asked.reserve(20);
  for (int i = 0; i < 20; ++i) asked.push_back(ask_aside(scheduler, flooded.loaded, 1));
  until([&] { return flooded.loaded.statistics.pending == 19; });
  for (int i = 0; i < 2; ++i) asked.push_back(ask_aside(scheduler, other.loaded, 2));
  until([&] { return other.loaded.statistics.pending == 2; });
  gate.let_go();
  for (auto& each : asked) EXPECT_TRUE(each.get().answer);
  size_t last = 0;
  for (size_t i = 0; i < gate.seen.size(); ++i) last = gate.seen[i] == 2 ? i : last;
  EXPECT_LE(last, 5u) << "turn by turn, the second of two is the fourth or fifth";
}

TEST(Scheduler, OneRequestsBadValuesAreItsOwn) {
  Served served;
  served.model->before = [](const std::vector<float>& values) -> Result<void> {
    std::this_thread::sleep_for(300us);
    for (float value : values) {
      if (value < 0) return fail(Code::invalid_argument, "negative");
    }
    return {};
  };
  Scheduler scheduler({.lanes = 1});
  std::atomic<int> wrong{0};
  std::vector<std::thread> clients;
  clients.reserve(8);
  for (int client = 0; client < 8; ++client) {
    clients.emplace_back([&, client] {
      for (int i = 0; i < 50; ++i) {
        const float value = client == 0 ? -1.0F : 1.0F;
        if (ask(scheduler, served.loaded, {value, value}).answer.has_value() == (client == 0))
          ++wrong;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Scheduler, AModelWhoseRowsDependOnEachOtherIsFoundOut) {
  Served served;
  served.model->mix = true;
  served.model->before = [](const std::vector<float>&) -> Result<void> {
    std::this_thread::sleep_for(300us);
    return {};
  };
  Scheduler scheduler({.lanes = 1});
  std::atomic<int> wrong{0};
  std::vector<std::thread> clients;
  clients.reserve(8);
  for (int client = 0; client < 8; ++client) {
    clients.emplace_back([&, client] {
      const auto value = static_cast<float>(client + 1);
      for (int i = 0; i < 50; ++i) {
        const Outcome outcome = ask(scheduler, served.loaded, {value, value});
        if (values_of(outcome) != std::vector<float>{value * 4, value * 4}) ++wrong;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_TRUE(served.loaded.queue.refused);
}

TEST(Scheduler, WhoHasGoneIsNotRunFor) {
  Served served;
  Gate gate;
  served.model->before = [&](const auto& values) { return gate.pass(values); };
  Scheduler scheduler({.lanes = 1});
  auto running = ask_aside(scheduler, served.loaded, 1);
  until([&] { return gate.count() == 1; });
  const auto start = Clock::now();
  auto gone = ask_aside(scheduler, served.loaded, 2, {.abandoned = [] { return true; }});
  until([&] { return served.loaded.statistics.pending == 1 && Clock::now() - start > 30ms; });
  gate.let_go();
  EXPECT_TRUE(running.get().answer);
  EXPECT_EQ(gone.get().answer.error().code(), Code::cancelled);
  EXPECT_EQ(gate.seen, std::vector<float>{1});
}

TEST(Scheduler, AModelHasNoMoreLanesAndRowsThanItIsTunedFor) {
  Scheduler scheduler({.lanes = 4});
  Served served;
  served.loaded.queue.most_lanes = 1;
  served.loaded.queue.most_rows = 2;
  std::atomic<int> now{0}, most{0};
  std::atomic<size_t> rows{0};
  served.model->before = [&](const std::vector<float>& values) -> Result<void> {
    most = std::max<int>(most, ++now);
    rows = std::max<size_t>(rows, values.size() / 2);
    std::this_thread::sleep_for(200us);
    --now;
    return {};
  };
  std::vector<std::future<Outcome>> asked;
  asked.reserve(60);
  for (int i = 0; i < 60; ++i)
    asked.push_back(ask_aside(scheduler, served.loaded, static_cast<float>(i)));
  for (int i = 0; i < 60; ++i)
    EXPECT_EQ(values_of(asked[i].get()), std::vector<float>(2, 3.0F * static_cast<float>(i)));
  EXPECT_EQ(most, 1);
  EXPECT_LE(rows, 2u);
  EXPECT_EQ(served.loaded.queue.lanes, 0u);
}

TEST(Scheduler, OneThatHasItsLanesLeavesTheOthersToOthers) {
  Scheduler scheduler({.lanes = 2});
  Served slow("slow"), quick("quick");
  slow.loaded.queue.most_lanes = 1;
  std::promise<void> go;
  const std::shared_future<void> gone = go.get_future().share();
  std::atomic<int> begun{0};
  slow.model->before = [&](const std::vector<float>&) -> Result<void> {
    ++begun;
    gone.wait();
    return {};
  };
  auto first = ask_aside(scheduler, slow.loaded, 1), second = ask_aside(scheduler, slow.loaded, 2);
  until([&] { return begun == 1 && slow.loaded.statistics.pending == 1; });
  EXPECT_EQ(values_of(ask_aside(scheduler, quick.loaded, 5).get()), std::vector<float>(2, 15.0F));
  EXPECT_EQ(begun, 1);
  go.set_value();
  EXPECT_EQ(values_of(first.get()), std::vector<float>(2, 3.0F));
  EXPECT_EQ(values_of(second.get()), std::vector<float>(2, 6.0F));
}

}  // namespace
}  // namespace holdfast::inference
