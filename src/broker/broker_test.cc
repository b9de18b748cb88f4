#include "broker/broker.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <thread>

#include "broker/file_source.h"
#include "device_wire/sas.h"
#include "device_wire/topics.h"
#include "net/mqtt/testing.h"
#include "net/testing.h"

namespace holdfast::broker {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;
namespace wire = device_wire;
using namespace std::chrono_literals;

const std::string kKey = base64(as_bytes(std::string_view("a module's key of thirty-two byte")));

// A module as a program of a user would be.
struct TestModule {
  std::string name;
  std::unique_ptr<mqtt::MemoryClient> client;
  std::mutex mutex;
  std::vector<mqtt::Publish> got;
  bool accept = true;
  std::vector<mqtt::Publish> received() {
    const std::lock_guard lock(mutex);
    return got;
  }
};

struct BrokerTest : testing::Test {
  fs::path folder = [] {
    char name[] = "/tmp/broker_test.XXXXXX";
    return fs::path(mkdtemp(name));
  }();
  FakeClock clock;
  Runtime runtime{1};
  std::unique_ptr<store::Database> database = *store::open_sqlite({folder / "edge.db", 1});
  MemoryUpstream upstream;
  std::unique_ptr<TaskGroup> group = std::make_unique<TaskGroup>();
  std::unique_ptr<Broker> broker;
  std::vector<std::unique_ptr<TestModule>> modules;
  uint64_t max_bytes = 1 << 20;

  void SetUp() override {
    runtime.start();
    open();
  }
  void open() {
    BrokerParts parts{*database, clock, upstream, "dev", [](const std::string& module) {
                        return module == "a" || module == "b" ? std::vector<std::string>{kKey}
                                                              : std::vector<std::string>();
                      }};
    parts.max_bytes = max_bytes;
    broker = *Broker::open(std::move(parts));
    broker->start(runtime.executor(0), *group);
  }
  void close() {
    for (auto& module : modules) run_on(runtime, module->client->stop());
    modules.clear();
    group->cancel();
    run_task(group->join());
    group = std::make_unique<TaskGroup>();
    broker.reset();
  }
  void TearDown() override {
    close();
    fs::remove_all(folder);
  }
  void routes(const std::string& text, const std::string& more = "") {
    const json::object desired =
        json::parse(R"({"$version":1,"schemaVersion":"1.1","routes":{)" + text + "}" + more + "}")
            .as_object();
    ASSERT_TRUE(run_on(runtime, broker->set_desired(desired)));
    ASSERT_EQ(broker->reported().at("lastDesiredStatus").at("code"), 200)
        << json::serialize(broker->reported());
  }
  TestModule& module(const std::string& name, const std::string& key = kKey,
                     const std::string& device = "dev") {
    auto made = std::make_unique<TestModule>();
    TestModule& at = *made;
    at.name = name;
    mqtt::ClientOptions options;
    options.client_id = device + "/" + name;
    options.credentials = [this, key, name, device]() -> Task<Result<mqtt::Credentials>> {
      const wire::Address who{device, name};
      mqtt::Credentials out;
      out.username = wire::format_connect_name({"hub.local", who, "2019-10-01", "", ""});
      out.password = *wire::make_sas(wire::resource_of("hub.local", who), key, clock.now() + 3600s);
      co_return out;
    };
    options.on_message = [&at](mqtt::Publish message) -> Task<Result<void>> {
      const std::lock_guard lock(at.mutex);
      if (!at.accept) co_return fail(Code::unavailable, "not now");
      at.got.push_back(std::move(message));
      co_return Result<void>();
    };
    at.client = mqtt::make_memory_client(runtime.executor(0), std::move(options), *broker);
    at.client->start();
    modules.push_back(std::move(made));
    return at;
  }
  static constexpr auto kPatience = 30s, kRefusal = 1s;  // the latter: it never gets in
  bool connects(TestModule& of, std::chrono::seconds patience = kPatience) {
    return run_on(runtime, of.client->wait_connected(patience)).has_value();
  }
  void subscribe(TestModule& of, std::string filter) {
    ASSERT_TRUE(run_on(runtime, of.client->subscribe({std::move(filter)}, kPatience)));
  }
  Result<void> say(TestModule& of, const std::string& output, std::string body,
                   std::chrono::seconds patience = kPatience) {
    const wire::Properties properties{{"$.on", output}, {"$.mid", "m1"}, {"k", "v"}};
    mqtt::Publish message{wire::telemetry_topic({"dev", of.name}, properties), std::move(body)};
    return run_on(runtime, of.client->publish(std::move(message), patience));
  }
  template <class F>
  static bool eventually(F holds) {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    bool held = false;
    while (!(held = holds()) && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(2ms);
    return held;
  }
  uint64_t waiting(const std::string& target) {
    const auto counts = *run_on(runtime, broker->queue().counts());
    return counts.contains(target) ? counts.at(target).messages : 0;
  }
};

const char* kUp = R"("up":"FROM /messages/modules/a/outputs/* INTO $upstream")";
const char* kAcross =
    R"r("across":"FROM /messages/modules/a/outputs/* INTO BrokeredEndpoint('/modules/b/inputs/in')")r";

TEST_F(BrokerTest, LetsInWhoHasTheKey) {
  EXPECT_TRUE(connects(module("a")));
  EXPECT_FALSE(connects(module("a", base64(as_bytes("another key"))), kRefusal)) << "key";
  EXPECT_FALSE(connects(module("c"), kRefusal)) << "no such module";
  EXPECT_FALSE(connects(module("a", kKey, "other"), kRefusal)) << "another device";
  EXPECT_EQ(broker->reported().at("clients").at("dev/a").at("status"), "Connected");
}

TEST_F(BrokerTest, AnOutputGoesUpstream) {
  routes(kUp);
  TestModule& a = module("a");
  ASSERT_TRUE(connects(a));
  ASSERT_TRUE(say(a, "out", "hello"));
  ASSERT_TRUE(eventually([&] { return upstream.sent().size() == 1; }));
  EXPECT_EQ(upstream.sent()[0].module, "a");
  EXPECT_EQ(upstream.sent()[0].body, "hello");
  EXPECT_EQ(*wire::find_property(upstream.sent()[0].properties, "k"), "v");
  EXPECT_TRUE(eventually([&] { return waiting("$upstream") == 0; }));
}

TEST_F(BrokerTest, WhatNoRouteTakesIsCounted) {
  routes(R"("r":"FROM /messages/modules/b/* INTO $upstream")");
  TestModule& a = module("a");
  ASSERT_TRUE(connects(a));
  ASSERT_TRUE(say(a, "out", "hello"));
  EXPECT_EQ(broker->unrouted(), 1u);
  EXPECT_EQ(waiting("$upstream"), 0u);
}

TEST_F(BrokerTest, MessagesWaitForTheHubOverARestart) {
  routes(kUp);
  upstream.set_connected(false);
  TestModule& a = module("a");
  ASSERT_TRUE(connects(a));
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(say(a, "out", std::to_string(i)));
  EXPECT_EQ(waiting("$upstream"), 40u);
  close();
  open();
  upstream.set_connected(true);
  upstream.fail_next(Error(Code::timed_out, "once"));
  broker->upstream_changed();
  ASSERT_TRUE(eventually([&] { return upstream.sent().size() == 40; }));
  std::set<std::string> bodies;
  for (const auto& sent : upstream.sent()) bodies.insert(sent.body);
  EXPECT_EQ(bodies.size(), 40u);
}

TEST_F(BrokerTest, MessagesWaitForTheirModule) {
  routes(kAcross);
  TestModule& a = module("a");
  ASSERT_TRUE(connects(a));
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(say(a, "out", std::to_string(i)));
  EXPECT_EQ(waiting("b"), 30u);
  TestModule& b = module("b");
  ASSERT_TRUE(connects(b));
  EXPECT_EQ(waiting("b"), 30u) << "not subscribed yet";
  subscribe(b, "devices/dev/modules/b/inputs/#");
  ASSERT_TRUE(eventually([&] { return waiting("b") == 0; }));
  const auto got = b.received();
  ASSERT_EQ(got.size(), 30u);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(got[static_cast<size_t>(i)].payload, std::to_string(i));
  const auto topic = wire::parse_to_device(got[0].topic);
  ASSERT_TRUE(topic) << got[0].topic;
  const auto& input = std::get<wire::InputMessage>(*topic);
  EXPECT_EQ(input.input, "in");
  EXPECT_EQ(*wire::find_property(input.properties, "$.cmid"), "a");
  EXPECT_EQ(*wire::find_property(input.properties, "$.cdid"), "dev");
}

TEST_F(BrokerTest, WhatWasNotAcknowledgedComesAgain) {
  routes(kAcross);
  TestModule& a = module("a");
  TestModule& b = module("b");
  ASSERT_TRUE(connects(a) && connects(b));
  subscribe(b, "devices/dev/modules/b/inputs/#");
  b.client->cut();
  ASSERT_TRUE(say(a, "out", "x"));
  EXPECT_EQ(waiting("b"), 1u);
  b.client->restore();
  ASSERT_TRUE(eventually([&] { return waiting("b") == 0; }));
  EXPECT_EQ(b.received().size(), 1u);
}

TEST_F(BrokerTest, SubscriptionsOutliveTheBroker) {
  routes(kAcross);
  {
    TestModule& b = module("b");
    ASSERT_TRUE(connects(b));
    subscribe(b, "devices/dev/modules/b/inputs/#");
  }
  close();
  open();
  TestModule& a = module("a");
  TestModule& b = module("b");
  ASSERT_TRUE(connects(a) && connects(b));
  ASSERT_TRUE(say(a, "out", "x"));
  EXPECT_TRUE(eventually([&] { return b.received().size() == 1; }));
}

TEST_F(BrokerTest, AFullStoreAcknowledgesNothing) {
  routes(kUp, R"(,"storeAndForwardConfiguration":{"timeToLiveSecs":60,
                 "storeLimits":{"maxSizeBytes":3000}})");
  upstream.set_connected(false);
  TestModule& a = module("a");
  ASSERT_TRUE(connects(a));
  ASSERT_TRUE(say(a, "out", std::string(1400, 'x')));
  ASSERT_TRUE(say(a, "out", std::string(1400, 'y')));
  EXPECT_FALSE(say(a, "out", std::string(1400, 'z'), kRefusal));
  EXPECT_EQ(waiting("$upstream"), 2u);
  clock.advance(61s);
  EXPECT_EQ(*run_on(runtime, broker->queue().sweep()), 2);
  EXPECT_EQ(broker->queue().bytes(), 0u);
  EXPECT_EQ(broker->queue().expired(), 2u);
}

TEST_F(BrokerTest, HigherPrioritiesGoFirst) {
  routes(R"("low":{"route":"FROM /* WHERE k = 'low' INTO $upstream","priority":5},
            "high":{"route":"FROM /* WHERE k = 'high' INTO $upstream","priority":0})");
  upstream.set_connected(false);
  for (const char* k : {"low", "low", "high", "low", "high"}) {
    Message message;
    message.module = "a";
    message.properties = {{"k", k}};
    ASSERT_TRUE(run_on(runtime, broker->publish_local(std::move(message), "")));
  }
  upstream.set_connected(true);
  broker->upstream_changed();
  ASSERT_TRUE(eventually([&] { return upstream.sent().size() == 5; }));
  std::string order;
  for (const auto& sent : upstream.sent())
    order += wire::find_property(sent.properties, "k")->at(0);
  EXPECT_EQ(order, "hhlll");
}

TEST_F(BrokerTest, TwinsWorkWhereTheHubIsAway) {
  TestModule& a = module("a");
  ASSERT_TRUE(connects(a));
  subscribe(a, std::string(wire::kTwinResponses));
  subscribe(a, std::string(wire::kDesiredPatches));
  const auto ask = [&](std::string topic, std::string body) {
    const size_t before = a.received().size();
    EXPECT_TRUE(run_on(runtime, a.client->publish({std::move(topic), std::move(body)}, kPatience)));
    EXPECT_TRUE(eventually([&] { return a.received().size() > before; }));
    return a.received().back();
  };
  upstream.set_connected(false);
  EXPECT_EQ(ask(wire::twin_get_topic("1"), " ").topic, "$iothub/twin/res/503/?$rid=1");
  upstream.set_connected(true);
  upstream.desire("a", json::parse(R"({"rate":5})").as_object());
  EXPECT_EQ(ask(wire::twin_get_topic("2"), " ").payload,
            R"({"desired":{"rate":5,"$version":2},"reported":{"$version":1}})");
  upstream.set_connected(false);
  EXPECT_EQ(ask(wire::reported_patch_topic("3"), R"({"mode":{"x":1}})").topic,
            "$iothub/twin/res/204/?$rid=3&$version=2");
  EXPECT_EQ(ask(wire::reported_patch_topic("4"), R"({"mode":{"x":null,"y":2}})").topic,
            "$iothub/twin/res/204/?$rid=4&$version=3");
  EXPECT_EQ(ask(wire::reported_patch_topic("5"), "[]").topic, "$iothub/twin/res/400/?$rid=5");
  EXPECT_EQ(json::parse(ask(wire::twin_get_topic("6"), " ").payload),
            json::parse(R"({"desired":{"rate":5,"$version":2},
                            "reported":{"mode":{"y":2},"$version":3}})"));
  // The hub comes back, and has changed something meanwhile.
  upstream.desire("a", json::parse(R"({"rate":null,"limit":9})").as_object());
  upstream.set_connected(true);
  broker->module_linked("a");
  ASSERT_TRUE(
      eventually([&] { return a.received().back().payload.find("limit") != std::string::npos; }));
  EXPECT_EQ(a.received().back().topic, "$iothub/twin/PATCH/properties/desired/?$version=3");
  EXPECT_EQ(a.received().back().payload, R"({"rate":null,"limit":9,"$version":3})");
  ASSERT_TRUE(eventually([&] { return !upstream.reported("a").empty(); }));
  EXPECT_EQ(json::serialize(upstream.reported("a")), R"({"mode":{"y":2}})");
  // And a patch that comes by itself.
  broker->desired_changed("a", upstream.desire("a", json::parse(R"({"limit":10})").as_object()));
  ASSERT_TRUE(
      eventually([&] { return a.received().back().payload == R"({"limit":10,"$version":4})"; }));
}

TEST_F(BrokerTest, AWrongDocumentLeavesTheRoutes) {
  routes(kUp);
  const auto wrong = json::parse(R"({"$version":2,"schemaVersion":"1.1","routes":{"r":"FROM"}})");
  ASSERT_TRUE(run_on(runtime, broker->set_desired(wrong.as_object())));
  EXPECT_EQ(broker->reported().at("lastDesiredVersion"), 2);
  EXPECT_EQ(broker->reported().at("lastDesiredStatus").at("code"), 400);
  EXPECT_TRUE(broker->has_route("/messages/modules/a/outputs/x"));
  close();
  open();
  EXPECT_TRUE(broker->has_route("/messages/modules/a/outputs/x"));
}

TEST_F(BrokerTest, AFileEventEndsWithItsAcknowledgement) {
  const auto events = *shares::FileEvents::open(*database);
  const shares::ShareName camera("camera"), other("other");
  const auto source = *FileSource::open({camera, other}, *events, *broker);
  routes(
      R"r("r":"FROM /messages/modules/shares/outputs/camera INTO BrokeredEndpoint('/modules/b/inputs/files')")r");
  TestModule& b = module("b");
  ASSERT_TRUE(connects(b));
  std::vector<shares::FileEvent> raised{{"e1", camera, "x/y.png", 7, clock.now(), clock.now()},
                                        {"e2", other, "z.png", 7, clock.now(), clock.now()}};
  ASSERT_TRUE(run_on(runtime, events->raise(raised)));
  source->start(runtime.executor(0), *group);
  ASSERT_TRUE(eventually([&] { return waiting("b") == 1; }));
  EXPECT_EQ(run_on(runtime, events->counts(camera, "modules:camera"))->pending, 1u);
  subscribe(b, "devices/dev/modules/b/inputs/#");
  ASSERT_TRUE(eventually(
      [&] { return run_on(runtime, events->counts(camera, "modules:camera"))->done == 1; }));
  ASSERT_EQ(b.received().size(), 1u);
  const json::object body = json::parse(b.received()[0].payload).as_object();
  EXPECT_EQ(body.at("id"), "e1");
  EXPECT_EQ(body.at("share"), "camera");
  EXPECT_EQ(body.at("path"), "x/y.png");
  EXPECT_EQ(body.at("size"), 7);
  const auto topic = wire::parse_to_device(b.received()[0].topic);
  const auto& input = std::get<wire::InputMessage>(*topic);
  EXPECT_EQ(input.input, "files");
  EXPECT_EQ(*wire::find_property(input.properties, "$.mid"), "e1");
  EXPECT_EQ(run_on(runtime, events->counts(other, "modules:other"))->pending, 1u) << "no route";
  close();
}

TEST_F(BrokerTest, AFileEventOutlivesTheWaitAndItsModule) {
  const auto events = *shares::FileEvents::open(*database);
  const shares::ShareName camera("camera");
  const auto source = *FileSource::open({camera}, *events, *broker);
  const auto to = [&](const std::string& name) {
    routes(R"r("r":{"route":"FROM /messages/modules/shares/outputs/camera INTO )r"
           R"r(BrokeredEndpoint('/modules/)r" +
           name + R"r(/inputs/files')","timeToLiveSecs":60})r");
  };
  to("gone");
  std::vector<shares::FileEvent> raised(100, {"e", camera, "x", 7, clock.now(), clock.now()});
  for (size_t i = 0; i < raised.size(); ++i) raised[i].id += std::to_string(i);
  ASSERT_TRUE(run_on(runtime, events->raise(raised)));
  source->start(runtime.executor(0), *group);
  ASSERT_TRUE(eventually([&] { return waiting("gone") == 64; }));
  clock.advance(std::chrono::hours(1));
  EXPECT_EQ(*run_on(runtime, broker->queue().sweep()), 0) << "they do not expire";
  // Another module takes the place of the one that never came.
  to("b");
  const auto level = [&]() -> Task<int> {
    std::set<std::string> modules{"b"};
    co_await broker->set_modules(std::move(modules));
    co_return 0;
  };
  run_on(runtime, level());
  TestModule& b = module("b");
  ASSERT_TRUE(connects(b));
  subscribe(b, "devices/dev/modules/b/inputs/#");
  ASSERT_TRUE(eventually(
      [&] { return run_on(runtime, events->counts(camera, "modules:camera"))->done == 100; }));
  // At least once: what was on its way when the route changed may come again, under its id.
  std::set<std::string> bodies;
  for (const auto& message : b.received()) bodies.insert(message.payload);
  EXPECT_EQ(bodies.size(), 100u);
  close();
}

}  // namespace
}  // namespace holdfast::broker
