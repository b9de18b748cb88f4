// Memory and database say the same, in whatever order commits are told to those who wait for them.
#include "iot/devices.h"

#include <gtest/gtest.h>

#include <thread>

#include "net/runtime.h"

namespace holdfast::iot {
namespace {

struct DevicesTest : testing::Test {
  SystemClock clock;
  std::unique_ptr<store::Database> database = *store::open_sqlite({":memory:"});
  std::unique_ptr<Devices> devices = *Devices::open(*database, clock);
  const Address address{"press", ""};

  template <class Work>
  void at_once(Work work) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&work, i] { work(i); });
    for (std::thread& thread : threads) thread.join();
  }
  // What a restart would find.
  std::string etag_on_disk() {
    const auto fresh = *Devices::open(*database, clock);
    const auto found = fresh->find(address);
    return found ? (*found)->etag : "";
  }
  std::string etag_in_memory() {
    const auto found = devices->find(address);
    return found ? (*found)->etag : "";
  }
};

TEST_F(DevicesTest, MemoryHasTheLastOfConcurrentChanges) {
  ASSERT_TRUE(run_task(devices->create(address, {})));
  for (int round = 0; round < 200; ++round) {
    at_once([&](int i) {
      IdentityWishes wishes;
      wishes.status_reason = std::to_string(i);
      ASSERT_TRUE(run_task(devices->update(address, wishes, std::nullopt)));
    });
    ASSERT_EQ(etag_in_memory(), etag_on_disk()) << "in round " << round;
  }
}

TEST_F(DevicesTest, MemoryHasTheLastOfCreatesAndRemovals) {
  for (int round = 0; round < 200; ++round) {
    at_once([&](int i) {
      if (i % 2 == 0)
        (void)run_task(devices->create(address, {}));
      else
        (void)run_task(devices->remove(address, std::nullopt));
    });
    ASSERT_EQ(etag_in_memory(), etag_on_disk()) << "in round " << round;
    ASSERT_EQ(devices->size(), etag_in_memory().empty() ? 0u : 1u);
  }
}

}  // namespace
}  // namespace holdfast::iot
