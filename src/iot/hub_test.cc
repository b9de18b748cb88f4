// Registry, twins, configurations and telemetry over a real database in memory or on disk.
#include <gtest/gtest.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <thread>

#include "iot/devices.h"
#include "iot/telemetry.h"
#include "iot/twins.h"
#include "net/runtime.h"

namespace holdfast::iot {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

json::object of(std::string_view text) {
  return json::parse(text).as_object();
}

struct IotHub : testing::Test {
  FakeClock clock;
  std::unique_ptr<store::Database> database = *store::open_sqlite({":memory:"});
  std::unique_ptr<Devices> devices = *Devices::open(*database, clock);
  Twins twins{*database, *devices, clock};

  Identity create(const std::string& text, IdentityWishes wishes = {}) {
    auto made = run_task(devices->create(*device_wire::parse_address(text), std::move(wishes)));
    EXPECT_TRUE(made) << made.error().message();
    return made.value_or(Identity());
  }
  Identity create_edge(const std::string& id) {
    IdentityWishes wishes;
    wishes.edge = true;
    return create(id, wishes);
  }
  Result<Twin> patch(const Address& at, std::string_view desired, IfMatch condition = {}) {
    TwinChange change;
    change.desired = of(desired);
    return run_task(twins.patch(at, change, condition));
  }
  std::vector<std::string> modules(const std::string& device) {
    std::vector<std::string> out;
    for (const auto& each : *devices->modules(device)) out.push_back(each->address.module);
    return out;
  }
  template <class T>
  void expect(const Result<T>& result, Code code, std::string_view reason = "") {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), code) << result.error().message();
    EXPECT_EQ(result.error().reason(), reason) << result.error().message();
  }
};

TEST_F(IotHub, IdentitiesAreMadeOnceAndKept) {
  const Identity made = create("press-07");
  EXPECT_EQ(from_base64(made.keys[0])->size(), 32u);
  EXPECT_NE(made.keys[0], made.keys[1]);
  expect(run_task(devices->create({"press-07", ""}, {})), Code::conflict, "device_exists");
  expect(run_task(devices->create({"nobody", "m"}, {})), Code::not_found, "device_not_found");
  expect(run_task(devices->create({"a b", ""}, {})), Code::invalid_argument);
  IdentityWishes short_key;
  short_key.keys[0] = base64(as_bytes("short"));
  expect(run_task(devices->create({"x", ""}, short_key)), Code::invalid_argument);
  create("press-07/camera");
  expect(run_task(devices->create({"press-07", "camera"}, {})), Code::conflict, "module_exists");
  // A restart reads the same back.
  const auto again = *Devices::open(*database, clock);
  EXPECT_EQ((*again->find({"press-07", ""}))->keys, made.keys);
  EXPECT_EQ((*again->find({"press-07", ""}))->generation, made.generation);
  EXPECT_EQ(again->size(), 1u);
  EXPECT_EQ(*again->policy("iothubowner"), *devices->policy("iothubowner"));
  EXPECT_EQ(again->modules("press-07")->size(), 1u);
}

TEST_F(IotHub, EdgeDevicesHaveTheirSystemModules) {
  create_edge("edge");
  EXPECT_EQ(modules("edge"), (std::vector<std::string>{"$edgeAgent", "$edgeHub"}));
  create("plain");
  EXPECT_TRUE(modules("plain").empty());
  IdentityWishes wishes;
  wishes.edge = true;
  ASSERT_TRUE(run_task(devices->update({"plain", ""}, wishes, "*")));
  EXPECT_EQ(modules("plain"), (std::vector<std::string>{"$edgeAgent", "$edgeHub"}));
}

TEST_F(IotHub, UpdatesNeedTheEtagAndTellWhoListens) {
  std::vector<std::string> changed;
  devices->on_change([&](const Address& at) { changed.push_back(at.text()); });
  const Identity made = create("d");
  create("d/m");
  IdentityWishes off;
  off.enabled = false;
  expect(run_task(devices->update({"d", ""}, off, "stale")), Code::precondition_failed, "etag");
  const auto updated = run_task(devices->update({"d", ""}, off, made.etag));
  ASSERT_TRUE(updated);
  EXPECT_NE(updated->etag, made.etag);
  EXPECT_EQ(updated->keys, made.keys);
  // A module of a disabled device is not let in either.
  expect(devices->admit({"d", "m"}), Code::denied, "disabled");
  expect(run_task(devices->remove({"d", ""}, made.etag)), Code::precondition_failed, "etag");
  ASSERT_TRUE(run_task(devices->remove({"d", ""}, "*")));
  expect(devices->find({"d", "m"}), Code::not_found, "module_not_found");
  expect(run_task(twins.get({"d", "m"})), Code::not_found, "module_not_found");
  expect(run_task(devices->remove({"d", ""}, {})), Code::not_found, "device_not_found");
  EXPECT_EQ(changed, (std::vector<std::string>{"d", "d", "d/m"}));
  EXPECT_NE(create("d").generation, made.generation);
}

TEST_F(IotHub, ListsGoOnAfterAName) {
  for (const char* id : {"a", "b", "c"}) create(id);
  create("a/m");
  const auto first = devices->list(2);
  ASSERT_EQ(first.size(), 2u);
  const auto rest = devices->list(2, first[1]->address.device);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0]->address.device, "c");
}

TEST_F(IotHub, TwinsMergeReplaceAndCount) {
  create("d");
  const Address at{"d", ""};
  const auto fresh = run_task(twins.get(at));
  ASSERT_TRUE(fresh);
  EXPECT_EQ(fresh->desired.version, 1u);
  const auto one = patch(at, R"({"a":1,"b":{"c":2}})");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->desired.version, 2u);
  EXPECT_EQ(one->reported.version, 1u);
  expect(patch(at, R"({"a":2})", fresh->etag), Code::precondition_failed, "etag");
  ASSERT_TRUE(patch(at, R"({"a":null})", one->etag));
  EXPECT_EQ(*run_task(twins.patch_reported(at, of(R"({"seen":true})"))), 2u);
  TwinChange whole;
  whole.desired = of(R"({"z":1})");
  whole.tags = of(R"({"site":"north"})");
  ASSERT_TRUE(run_task(twins.replace(at, whole, {})));
  const auto last = run_task(twins.get(at));
  EXPECT_EQ(last->desired.values, of(R"({"z":1})"));
  EXPECT_EQ(last->desired.version, 4u);
  EXPECT_EQ(last->reported.values, of(R"({"seen":true})"));
  EXPECT_EQ(last->tags, of(R"({"site":"north"})"));
  expect(patch(at, R"({"a.b":1})"), Code::invalid_argument);
  std::string large = R"({"x":[)";
  for (int i = 0; i < 9; ++i) large += (i ? ",\"" : "\"") + std::string(4000, 'x') + "\"";
  expect(patch(at, large + "]}"), Code::too_large);
  expect(run_task(twins.patch_reported({"no", ""}, {})), Code::not_found, "device_not_found");
}

TEST_F(IotHub, DesiredPatchesAreToldInOrder) {
  create("d");
  std::mutex mutex;
  std::vector<uint64_t> versions;
  json::object merged;
  twins.on_desired([&](const Address& at, uint64_t version, std::string text) {
    EXPECT_EQ(at.device, "d");
    const std::lock_guard lock(mutex);
    versions.push_back(version);
    json::object one = of(text);
    EXPECT_EQ(one.at("$version").to_number<uint64_t>(), version);
    one.erase("$version");
    for (auto& [name, value] : one) merged[name] = value;
  });
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 0; i < 25; ++i)
        EXPECT_TRUE(
            patch({"d", ""}, "{\"w" + std::to_string(writer) + "\":" + std::to_string(i) + "}"));
    });
  }
  for (auto& each : writers) each.join();
  ASSERT_EQ(versions.size(), 100u);
  for (size_t i = 0; i < versions.size(); ++i) EXPECT_EQ(versions[i], i + 2);
  EXPECT_EQ(merged, run_task(twins.get({"d", ""}))->desired.values);
}

TEST_F(IotHub, AConfigurationMakesAndRemovesModules) {
  create_edge("edge");
  create("edge/by-hand");
  std::vector<std::string> told;
  twins.on_desired([&](const Address& at, uint64_t, std::string text) {
    told.push_back(at.module + " " + text);
  });
  const auto apply = [&](std::string_view text) {
    return run_task(twins.apply_configuration("edge", of(text)));
  };
  ASSERT_TRUE(apply(R"({"modulesContent":{
    "$edgeAgent":{"properties.desired":{"schemaVersion":"1.1","modules":{
      "filter":{"type":"docker"},"digits":{"type":"model"}}}},
    "$edgeHub":{"properties.desired":{"routes":{"r":"FROM /* INTO $upstream"}}},
    "filter":{"properties.desired":{"threshold":5}}}})"));
  EXPECT_EQ(modules("edge"),
            (std::vector<std::string>{"$edgeAgent", "$edgeHub", "by-hand", "filter"}));
  EXPECT_EQ((*devices->find({"edge", "filter"}))->managed_by, kManagedByEdge);
  ASSERT_EQ(told.size(), 3u);
  EXPECT_EQ(told[2], R"(filter {"threshold":5,"$version":2})");
  told.clear();
  ASSERT_TRUE(apply(R"({"modulesContent":{
    "$edgeAgent":{"properties.desired":{"schemaVersion":"1.1","modules":{"other":{"type":"docker"}}}}}})"));
  EXPECT_EQ(modules("edge"),
            (std::vector<std::string>{"$edgeAgent", "$edgeHub", "by-hand", "other"}));
  EXPECT_EQ(
      told[0],
      R"($edgeAgent {"modules":{"filter":null,"digits":null,"other":{"type":"docker"}},"$version":3})");
  // All or nothing.
  expect(
      apply(
          R"({"modulesContent":{"new":{"properties.desired":{}},"bad":{"properties.desired":{"a b":1}}}})"),
      Code::invalid_argument);
  expect(devices->find({"edge", "new"}), Code::not_found, "module_not_found");
  for (const char* bad :
       {"{}", R"({"modulesContent":[]})", R"({"colour":1})",
        R"({"modulesContent":{"m":{"desired":{}}}})", R"({"modulesContent":{"a/b":{}}})"})
    EXPECT_EQ(apply(bad).error().code(), Code::invalid_argument) << bad;
  create("plain");
  expect(run_task(twins.apply_configuration("plain", of(R"({"modulesContent":{"m":{}}})"))),
         Code::invalid_argument);
  ASSERT_TRUE(run_task(twins.apply_configuration(
      "plain", of(R"({"deviceContent":{"properties.desired":{"a":1}}})"))));
  EXPECT_EQ(run_task(twins.get({"plain", ""}))->desired.values, of(R"({"a":1})"));
}

TEST_F(IotHub, TelemetryIsReadBySequenceAndByDevice) {
  Telemetry telemetry(*database, clock);
  const Properties bag = {{"$.mid", "7"}, {"flag", std::nullopt}, {"k/", "v&="}};
  EXPECT_EQ(*run_task(telemetry.append({"a", ""}, bag, std::string("\0\xFF", 2))), 1u);
  EXPECT_EQ(*run_task(telemetry.append({"b", "m"}, {}, "two")), 2u);
  EXPECT_EQ(*run_task(telemetry.append({"a", ""}, {}, "three")), 3u);
  const auto all = *run_task(telemetry.read("", 0, 10));
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].properties, bag);
  EXPECT_EQ(all[0].body, std::string("\0\xFF", 2));
  EXPECT_EQ(all[1].from, (Address{"b", "m"}));
  EXPECT_EQ(all[0].enqueued, clock.now());
  const auto of_a = *run_task(telemetry.read("a", 1, 10));
  ASSERT_EQ(of_a.size(), 1u);
  EXPECT_EQ(of_a[0].body, "three");
  EXPECT_EQ(run_task(telemetry.read("", 0, 2))->size(), 2u);
  EXPECT_TRUE(run_task(telemetry.read("", UINT64_MAX, 2))->empty());
}

TEST_F(IotHub, AWaitEndsWithTheFirstMessageOrInTime) {
  Telemetry telemetry(*database, clock);
  EXPECT_TRUE(run_task(telemetry.wait("a", 0, 10, 10ms))->empty());
  std::thread sender([&] {
    ASSERT_TRUE(run_task(telemetry.append({"b", ""}, {}, "not for it")));
    ASSERT_TRUE(run_task(telemetry.append({"a", ""}, {}, "here")));
  });
  const auto got = run_task(telemetry.wait("a", 0, 10, 20s));
  sender.join();
  ASSERT_EQ(got->size(), 1u);
  EXPECT_EQ((*got)[0].body, "here");
}

TEST_F(IotHub, RetentionDropsTheOldest) {
  Telemetry telemetry(*database, clock,
                      {.messages = 5, .bytes = 1000, .age = std::chrono::hours(1)});
  const auto send = [&](int count, size_t size) {
    for (int i = 0; i < count; ++i)
      ASSERT_TRUE(run_task(telemetry.append({"a", ""}, {}, std::string(size, 'x'))));
  };
  const auto kept = [&] {
    std::vector<uint64_t> out;
    for (const auto& each : *run_task(telemetry.read("", 0, 100))) out.push_back(each.sequence);
    return out;
  };
  send(8, 10);
  EXPECT_EQ(*run_task(telemetry.sweep()), 3u);
  EXPECT_EQ(kept(), (std::vector<uint64_t>{4, 5, 6, 7, 8}));
  send(2, 490);
  EXPECT_EQ(*run_task(telemetry.sweep()),
            3u);  // 980 of 1,000 bytes by two: room for two of ten
  EXPECT_EQ(kept(), (std::vector<uint64_t>{7, 8, 9, 10}));
  clock.advance(std::chrono::hours(2));
  send(1, 1);
  EXPECT_EQ(*run_task(telemetry.sweep()), 4u);
  EXPECT_EQ(kept(), (std::vector<uint64_t>{11}));
  send(1, 1);
  EXPECT_EQ(kept().back(), 12u);
}

TEST_F(IotHub, PresenceIsKeptOverARestart) {
  create("d");
  clock.advance(5s);
  devices->seen({"d", ""}, true);
  EXPECT_TRUE(devices->presence({"d", ""}).connected);
  ASSERT_TRUE(run_task(devices->flush()));
  const auto again = *Devices::open(*database, clock);
  EXPECT_FALSE(again->presence({"d", ""}).connected);
  EXPECT_EQ(again->presence({"d", ""}).last_activity, clock.now());
}

}  // namespace
}  // namespace holdfast::iot
