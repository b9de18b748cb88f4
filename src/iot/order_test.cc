// Changes whose commits are told in another order than they were made in.
#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <random>
#include <thread>

#include "iot/devices.h"
#include "iot/twins.h"
#include "net/runtime.h"
#include "store/database/holding_database.h"

namespace holdfast::iot {
namespace {

namespace json = boost::json;

struct Order : testing::Test {
  FakeClock clock;
  std::unique_ptr<store::Database> inner = *store::open_sqlite({":memory:"});
  store::HoldingDatabase database{*inner};
  std::unique_ptr<Devices> devices = *Devices::open(database, clock);
  Twins twins{database, *devices, clock};
  std::vector<std::thread> callers;  // of what is under way, in the order of their commits

  template <class T>
  static void ok(const Result<T>& result) {
    EXPECT_TRUE(result) << result.error().message();
  }
  void create(const Address& at, bool edge = false) {
    IdentityWishes wishes;
    wishes.edge = edge;
    ok(run_task(devices->create(at, wishes)));
  }
  static IdentityWishes reason(int number) {
    IdentityWishes wishes;
    wishes.status_reason = std::to_string(number);
    return wishes;
  }
  TwinChange desired(int number) const {
    TwinChange change;
    change.desired = json::object{{"n", number}};
    return change;
  }
  // Starts `call` and waits until its write is committed and held.
  template <class F>
  void start(F call) {
    callers.emplace_back([call] { ok(run_task(call())); });
    ASSERT_TRUE(database.wait_held(callers.size()));
  }
  // Lets the callers go on one by one, in this order of their commits.
  void finish(const std::vector<size_t>& order) {
    std::vector<size_t> still;
    for (size_t i = 0; i < callers.size(); ++i) still.push_back(i);
    for (const size_t each : order) {
      const auto at = std::ranges::find(still, each);
      database.release(static_cast<size_t>(at - still.begin()));
      still.erase(at);
      callers[each].join();
    }
    callers.clear();
  }
  // Memory is what a restart would read.
  void expect_as_stored() {
    const auto fresh = *Devices::open(*inner, clock);
    EXPECT_EQ(devices->size(), fresh->size());
    const auto mine = devices->list(100), stored = fresh->list(100);
    ASSERT_EQ(mine.size(), stored.size());
    for (size_t i = 0; i < mine.size(); ++i) {
      expect_same(*mine[i], *stored[i]);
      const auto my_modules = *devices->modules(mine[i]->address.device);
      const auto its_modules = *fresh->modules(mine[i]->address.device);
      ASSERT_EQ(my_modules.size(), its_modules.size());
      for (size_t m = 0; m < my_modules.size(); ++m) expect_same(*my_modules[m], *its_modules[m]);
    }
  }
  static void expect_same(const Identity& mine, const Identity& stored) {
    EXPECT_EQ(mine.address, stored.address);
    EXPECT_EQ(mine.etag, stored.etag) << mine.address.text();
    EXPECT_EQ(mine.generation, stored.generation) << mine.address.text();
    EXPECT_EQ(mine.status_reason, stored.status_reason) << mine.address.text();
  }
};

TEST_F(Order, TheLaterUpdateStays) {
  create({"d", ""});
  database.hold();
  start([&] { return devices->update({"d", ""}, reason(1), {}); });
  start([&] { return devices->update({"d", ""}, reason(2), {}); });
  finish({1, 0});
  EXPECT_EQ((*devices->find({"d", ""}))->status_reason, "2");
  expect_as_stored();
}

TEST_F(Order, ARemovedIdentityDoesNotComeBack) {
  create({"d", ""});
  database.hold();
  start([&] { return devices->create({"d", "m"}, {}); });
  start([&] { return devices->update({"d", ""}, reason(1), {}); });
  start([&] { return devices->remove({"d", ""}, {}); });
  finish({2, 1, 0});
  EXPECT_FALSE(devices->find({"d", ""}));
  EXPECT_FALSE(devices->find({"d", "m"}));
  EXPECT_EQ(devices->size(), 0u);
  expect_as_stored();
}

TEST_F(Order, AnIdentityMadeAnewStays) {
  create({"d", ""});
  devices->seen({"d", ""}, true);
  const std::string generation = (*devices->find({"d", ""}))->generation;
  database.hold();
  start([&] { return devices->remove({"d", ""}, {}); });
  start([&] { return devices->create({"d", ""}, {}); });
  finish({1, 0});
  ASSERT_TRUE(devices->find({"d", ""}));
  EXPECT_NE((*devices->find({"d", ""}))->generation, generation);
  EXPECT_FALSE(devices->presence({"d", ""}).connected);
  expect_as_stored();
}

TEST_F(Order, TheModulesOfTheLaterManifestStay) {
  create({"e", ""}, true);
  const auto apply = [&](const char* module) {
    json::object content, modules;
    modules[module] = json::object{{"properties.desired", json::object()}};
    content["modulesContent"] = modules;
    return twins.apply_configuration("e", content);
  };
  database.hold();
  start([&] { return apply("one"); });
  start([&] { return apply("two"); });
  start([&] { return apply("three"); });
  finish({2, 0, 1});
  EXPECT_TRUE(devices->find({"e", "three"}));
  expect_as_stored();
}

TEST_F(Order, AnyOrderOfManyChangesEndsAsStored) {
  std::mt19937 random(7);
  constexpr int kAtOnce = 4;
  for (int round = 0; round < 40; ++round) {
    database.hold();
    for (int i = 0; i < kAtOnce; ++i) {
      const Address at{"d" + std::to_string(random() % 2), random() % 2 == 0 ? "" : "m"};
      const auto kind = random() % 3;
      callers.emplace_back([this, at, kind, round] {
        // What is refused changes nothing; it is held and told as well.
        if (kind == 0) (void)run_task(devices->create(at, {}));
        if (kind == 1) (void)run_task(devices->update(at, reason(round), {}));
        if (kind == 2) (void)run_task(devices->remove(at, {}));
      });
    }
    ASSERT_TRUE(database.wait_held(kAtOnce));
    for (size_t left = kAtOnce; left > 0; --left) database.release(random() % left);
    for (auto& each : callers) each.join();
    callers.clear();
    expect_as_stored();
  }
}

struct Told : Order {
  std::mutex mutex;
  std::vector<uint64_t> versions;
  void SetUp() override {
    twins.on_desired([this](const Address&, uint64_t version, const std::string&) {
      const std::lock_guard lock(mutex);
      versions.push_back(version);
    });
    create({"d", ""});
    database.hold();
  }
  void expect_told(const std::vector<uint64_t>& expected) {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(versions, expected);
  }
  void patch(int number) {
    start([this, number] { return twins.patch({"d", ""}, desired(number), {}); });
  }
};

TEST_F(Told, PatchesAreToldInTheOrderOfTheirVersions) {
  for (int i = 0; i < 4; ++i) patch(i);
  finish({2, 3, 0, 1});
  expect_told({2, 3, 4, 5});
}

// Otherwise a twin that is always being written would never be told.
TEST_F(Told, APatchWaitsOnlyForEarlierOnes) {
  for (int i = 0; i < 3; ++i) patch(i);
  database.release(0);
  callers[0].join();
  expect_told({2});
  database.release(1);  // the third
  callers[2].join();
  expect_told({2});
  database.release(0);
  callers[1].join();
  expect_told({2, 3, 4});
  callers.clear();
}

TEST_F(Told, ARefusedChangeHoldsNothingUp) {
  patch(0);
  callers.emplace_back(
      [this] { EXPECT_FALSE(run_task(twins.patch({"d", ""}, desired(1), "stale"))); });
  ASSERT_TRUE(database.wait_held(2));
  patch(2);
  database.release(2);
  callers[2].join();
  expect_told({});
  database.release(0);
  callers[0].join();
  expect_told({2, 3});
  database.release(0);
  callers[1].join();
  callers.clear();
}

// Tags and reported properties are no patches for the device, but they are writes of its twin.
TEST_F(Told, OtherWritesOfATwinHoldNothingUp) {
  TwinChange tags;
  tags.tags = json::object{{"site", "north"}};
  start([&] { return twins.patch({"d", ""}, tags, {}); });
  patch(0);
  database.release(1);
  callers[1].join();
  expect_told({2});
  database.release(0);
  callers[0].join();
  callers.clear();
}

}  // namespace
}  // namespace holdfast::iot
