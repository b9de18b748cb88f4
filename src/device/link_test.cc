// A link and a twin link over real sockets, against a small hub of this file.
#include "device/link.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "device/twin_link.h"
#include "device_wire/sas.h"
#include "device_wire/topics.h"
#include "net/http/testing.h"
#include "net/mqtt/server.h"
#include "net/testing.h"

namespace holdfast::device {
namespace {

namespace json = boost::json;
namespace wire = device_wire;
using mqtt::Session;
using namespace std::chrono_literals;

const std::string kKey = "c2VjcmV0c2VjcmV0c2VjcmV0";

// Takes telemetry, keeps one twin, and lets the test answer late or wrongly.
struct SmallHub : mqtt::Handler {
  std::mutex mutex;
  std::vector<std::string> telemetry;  // topic + " " + body
  json::object desired{{"a", 1}, {"$version", 1}}, reported{{"old", true}, {"$version", 1}};
  std::string raced;  // a patch that overtakes the answer of the next GET
  bool silent = false;
  int gets = 0;
  std::shared_ptr<Session> session;

  Task<mqtt::ConnectAnswer> connect(const mqtt::Connect& request, const mqtt::Peer&) override {
    mqtt::ConnectAnswer out;
    const auto token = wire::parse_sas(request.password.value_or(""));
    const bool good = token && wire::verify_sas(*token, std::span(&kKey, 1), SystemClock());
    if (!good) out.code = mqtt::ConnectCode::bad_credentials;
    co_return out;
  }
  void connected(const std::shared_ptr<Session>& now) override {
    const std::lock_guard lock(mutex);
    session = now;
  }
  Task<uint8_t> subscribe(std::shared_ptr<Session>, mqtt::Subscription wanted) override {
    co_return static_cast<uint8_t>(wanted.qos);
  }
  void subscribed(const std::shared_ptr<Session>&, const mqtt::Subscription&) override {}
  Task<void> unsubscribe(std::shared_ptr<Session>, std::string) override { co_return; }
  Task<Result<void>> publish(std::shared_ptr<Session> from, mqtt::Publish message) override {
    const std::lock_guard lock(mutex);
    CO_TRY(auto topic, wire::parse_from_device(message.topic));
    if (std::holds_alternative<wire::Telemetry>(topic))
      telemetry.push_back(message.topic + " " + message.payload);
    if (auto* get = std::get_if<wire::TwinGet>(&topic); get && !silent) {
      ++gets;
      const json::object twin{{"desired", desired}, {"reported", reported}};
      if (!raced.empty()) patch(from, std::exchange(raced, ""));
      say(from, wire::twin_response_topic(200, get->rid), json::serialize(twin));
    }
    if (auto* put = std::get_if<wire::ReportedPatch>(&topic)) {
      const json::object wanted = json::parse(message.payload).as_object();
      const bool bad = wanted.contains("bad");
      for (const auto& [key, value] : wanted)
        if (value.is_null())
          reported.erase(key);
        else if (!bad)
          reported[key] = value;
      say(from, wire::twin_response_topic(bad ? 400 : 204, put->rid), "");
    }
    co_return Result<void>();
  }
  Task<void> will(std::shared_ptr<Session>, mqtt::Will) override { co_return; }
  void disconnected(const std::shared_ptr<Session>&, mqtt::Ended) override {}

  static void say(const std::shared_ptr<Session>& to, std::string topic, std::string body) {
    EXPECT_TRUE(to->send({std::move(topic), std::move(body), mqtt::Qos::at_least_once}));
  }
  // Changes the desired properties; under the mutex.
  void patch(const std::shared_ptr<Session>& to, const std::string& text) {
    json::object change = json::parse(text).as_object();
    for (const auto& [key, value] : change) desired[key] = value;
    const int64_t version = desired["$version"].as_int64() + 1;
    desired["$version"] = change["$version"] = version;
    say(to, wire::desired_patch_topic(static_cast<uint64_t>(version)), json::serialize(change));
  }
};

struct Heard {
  std::mutex mutex;
  json::object desired;
  Task<Result<void>> take(json::object whole) {
    const std::lock_guard lock(mutex);
    desired = std::move(whole);
    co_return Result<void>();
  }
};

struct LinkTest : testing::Test {
  SystemClock clock;
  SmallHub hub;
  http::Router router{http::json_error};
  std::unique_ptr<http::LoopbackServer> registry;
  Runtime runtime{2};
  std::unique_ptr<mqtt::Server> server;
  http::Client client;
  std::unique_ptr<Identity> identity;
  void SetUp() override {
    router.add("GET", "/devices/{device}/modules/{module}", http::Role::anonymous,
               [](http::Request&) -> Task<Result<http::Response>> {
                 const std::string body =
                     R"({"authentication":{"symmetricKey":{"primaryKey":")" + kKey + R"("}}})";
                 co_return http::Response(200, "application/json", body);
               });
    runtime.start();
    registry = std::make_unique<http::LoopbackServer>(router);
    server = *mqtt::Server::start(runtime, {}, hub, clock);
    Hub at;
    at.http = registry->url();
    at.mqtt_host = at.name = "127.0.0.1";
    at.mqtt_port = server->port();
    identity = *Identity::open(std::move(at), "dev", kKey, client, clock);
  }
  void TearDown() override { run_task(server->stop(1s)); }
  // Until it holds; a real socket is waited for.
  template <class Check>
  static bool soon(Check check) {
    const auto until = std::chrono::steady_clock::now() + 30s;
    while (!check()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(5ms);
    }
    return true;
  }
};

TEST_F(LinkTest, SendsAndAsks) {
  std::atomic<int> patches = 0;
  Link::Calls calls;
  calls.desired = [&](const json::object& patch) { patches += patch.contains("b") ? 1 : 100; };
  Link link(runtime.executor(0), *identity, "$edgeHub", std::move(calls));
  link.start();
  ASSERT_TRUE(soon([&] { return link.connected(); }));
  ASSERT_TRUE(run_task(link.send("mod", {{"$.on", "out"}, {"k", "v"}}, "body")));
  {
    const std::lock_guard lock(hub.mutex);
    ASSERT_EQ(hub.telemetry.size(), 1u);
    EXPECT_EQ(hub.telemetry[0], "devices/dev/modules/mod/messages/events/%24.on=out&k=v body");
  }
  const auto twin = run_task(link.twin());
  ASSERT_TRUE(twin) << twin.error().message();
  EXPECT_EQ(twin->at("desired").at("a"), 1);
  EXPECT_TRUE(run_task(link.patch_reported({{"new", 2}})));
  EXPECT_EQ(run_task(link.patch_reported({{"bad", 2}})).error().code(), Code::invalid_argument);
  {
    const std::lock_guard lock(hub.mutex);
    EXPECT_EQ(hub.reported.at("new"), 2);
    hub.patch(hub.session, R"({"b":7})");
  }
  EXPECT_TRUE(soon([&] { return patches == 1; }));
  run_task(link.stop());
}

TEST_F(LinkTest, ALostConnectionEndsTheQuestion) {
  Link link(runtime.executor(0), *identity, "mod", {});
  link.start();
  ASSERT_TRUE(soon([&] { return link.connected(); }));
  ASSERT_TRUE(run_task(link.twin()));
  hub.silent = true;
  std::thread cut([&] {
    // Away for good: the client does not connect again while the question waits.
    run_task(server->stop(1s));
  });
  EXPECT_EQ(run_task(link.twin()).error().code(), Code::timed_out);
  cut.join();
  run_task(link.stop());
}

TEST_F(LinkTest, ATwinLinkStaysLevel) {
  Heard heard;
  const auto desired = [&](json::object whole) { return heard.take(std::move(whole)); };
  const auto has = [&](const char* key) {
    const std::lock_guard lock(heard.mutex);
    return heard.desired.contains(key);
  };
  hub.raced = R"({"raced":1})";  // overtakes the first answer, which does not hold it
  TaskGroup group;
  TwinLink link(runtime.executor(0), *identity, "$edgeAgent", desired);
  link.report({{"state", "well"}});
  link.start(group);
  EXPECT_TRUE(soon([&] { return has("a"); }));
  EXPECT_TRUE(soon([&] { return has("raced"); })) << "the patch was lost";
  {
    const std::lock_guard lock(hub.mutex);
    EXPECT_EQ(hub.gets, 2);
    hub.patch(hub.session, R"({"later":1})");
  }
  EXPECT_TRUE(soon([&] { return has("later"); }));
  const auto level = [&] {
    const std::lock_guard lock(hub.mutex);
    return hub.reported.contains("state") && !hub.reported.contains("old");
  };
  EXPECT_TRUE(soon(level));
  group.cancel();
  run_task(group.join());
  run_task(link.stop());
}

}  // namespace
}  // namespace holdfast::device
