// What devices see of the hub.
#include "iot/whole_testing.h"

namespace holdfast::iot {
namespace {

TEST_F(WholeHub, TelemetryIsThereWhenPubackComes) {
  auto d = device("d", key("d"));
  ASSERT_TRUE(d->publish(
      "devices/d/messages/events/%24.mid=m1&%24.ct=application%2Fjson&site=north", R"({"t":21})"));
  const auto stored = run_task(hub->telemetry().read("d", 0, 10));
  ASSERT_EQ(stored->size(), 1u);
  const json::object answer = object(call("GET", "/api/v1/devices/d/telemetry?after=0&limit=5"));
  const json::object& row = answer.at("messages").as_array().at(0).as_object();
  EXPECT_EQ(row.at("body"), R"({"t":21})");
  EXPECT_EQ(row.at("systemProperties").as_object().at("mid"), "m1");
  EXPECT_EQ(row.at("properties").as_object().at("site"), "north");
  EXPECT_EQ(object(call("GET", "/api/v1/devices/d/telemetry?after=1")).at("last"), 1);
  EXPECT_EQ(call("GET", "/api/v1/devices/d/telemetry?limit=5000").status, 400u);
  EXPECT_EQ(call("GET", "/api/v1/devices/none/telemetry").status, 404u);
}

TEST_F(WholeHub, TwinsBothWays) {
  auto d = device("d", key("d"));
  ASSERT_TRUE(d->subscribe(wire::kTwinResponses));
  EXPECT_EQ(d->twin().at("desired").as_object().at("$version"), 1);
  ASSERT_TRUE(d->publish(wire::reported_patch_topic("p1"), R"({"fw":"1.2"})"));
  EXPECT_TRUE(d->next("$iothub/twin/res/204/?$rid=p1&$version=2"));
  for (const char* bad : {"", "nonsense", "[]", R"({"a b":1})"}) {
    ASSERT_TRUE(d->publish(wire::reported_patch_topic("bad"), bad));
    EXPECT_TRUE(d->next("$iothub/twin/res/400/?$rid=bad")) << bad;
  }
  // Not subscribed to patches yet: nothing comes.
  EXPECT_EQ(
      call("PATCH", "/twins/d?api-version=2021-04-12", R"({"properties":{"desired":{"a":1}}})")
          .status,
      200u);
  ASSERT_TRUE(d->subscribe(wire::kDesiredPatches));
  const auto answer = call("PATCH", "/twins/d",
                           R"({"properties":{"desired":{"a":null,"b":{"c":2}}},"tags":{"x":1}})");
  EXPECT_EQ(answer.status, 200u);
  const auto patch = d->next("$iothub/twin/PATCH/properties/desired/");
  ASSERT_TRUE(patch);
  EXPECT_EQ(patch->topic, "$iothub/twin/PATCH/properties/desired/?$version=3");
  EXPECT_EQ(json::parse(patch->payload), json::parse(R"({"a":null,"b":{"c":2},"$version":3})"));
  const json::object twin = d->twin();
  EXPECT_EQ(twin.at("desired"), json::parse(R"({"b":{"c":2},"$version":3})"));
  EXPECT_EQ(twin.at("reported"), json::parse(R"({"fw":"1.2","$version":2})"));
  EXPECT_FALSE(twin.contains("tags"));
  const json::object seen = object(answer);
  EXPECT_EQ(seen.at("connectionState"), "Connected");
  EXPECT_EQ(seen.at("properties").as_object().at("reported").as_object().at("fw"), "1.2");
}

TEST_F(WholeHub, WhoIsLetIn) {
  const std::string d_key = key("d"), m_key = key("d/m"), other = key("other");
  EXPECT_TRUE(device("d", d_key)->connected());
  EXPECT_TRUE(device("d/m", m_key)->connected());
  const auto policy = (*hub->devices().policy("iothubowner"))[0];
  for (const auto& [who, with] : std::vector<std::pair<std::string, std::string>>{
           {"d", other}, {"d/m", d_key}, {"nobody", d_key}, {"d/none", m_key}, {"d", policy}}) {
    const auto refused = device(who, with)->connected();
    ASSERT_FALSE(refused) << who;
    EXPECT_EQ(refused.error().code(), Code::denied) << who << refused.error().message();
  }
  IdentityWishes off;
  off.enabled = false;
  ASSERT_TRUE(run_task(hub->devices().update({"d", ""}, off, {})));
  EXPECT_FALSE(device("d", d_key)->connected());
  EXPECT_FALSE(device("d/m", m_key)->connected());
}

TEST_F(WholeHub, DisablingDeletingAndNewKeysCloseConnections) {
  auto closes = [&](const std::string& id, const std::function<void()>& change) {
    auto d = device(id, (*hub->devices().find({id, ""}))->keys[0]);
    ASSERT_TRUE(d->connected());
    change();
    const auto until = std::chrono::steady_clock::now() + kLimit;
    while (hub->gateway().connected_count() > 0 && std::chrono::steady_clock::now() < until)
      std::this_thread::yield();
    EXPECT_EQ(hub->gateway().connected_count(), 0u) << id;
    // The client may need a moment to see that it was cut off.
    Result<void> again;
    while ((again = d->connected()) && std::chrono::steady_clock::now() < until)
      std::this_thread::yield();
    ASSERT_FALSE(again) << id;
    EXPECT_EQ(again.error().code(), Code::denied) << id;
  };
  for (const char* id : {"a", "b", "c"}) key(id);
  closes("a", [&] {
    IdentityWishes off;
    off.enabled = false;
    ASSERT_TRUE(run_task(hub->devices().update({"a", ""}, off, {})));
  });
  closes("b", [&] { ASSERT_TRUE(run_task(hub->devices().remove({"b", ""}, {}))); });
  closes("c", [&] {
    IdentityWishes keys;
    keys.keys = {base64(as_bytes(std::string(32, 'x'))), base64(as_bytes(std::string(32, 'y')))};
    ASSERT_TRUE(run_task(hub->devices().update({"c", ""}, keys, {})));
  });
}

TEST_F(WholeHub, AConnectionEndsWithItsToken) {
  const std::string d_key = key("d");
  token_life = 100s;
  auto d = device("d", d_key);
  ASSERT_TRUE(d->subscribe(wire::kTwinResponses));
  // It comes back at once: that it tried again shows that the connection had ended.
  int before = 0;
  const auto ended = [&] {
    const auto until = std::chrono::steady_clock::now() + kLimit;
    while (d->attempts() == before && std::chrono::steady_clock::now() < until)
      std::this_thread::yield();
    return d->attempts() > before;
  };
  clock.advance(99s);
  d->twin();
  before = d->attempts();
  token_life = -1s;  // what it brings next has expired a moment ago: a slow clock may have made it
  clock.advance(1s);
  EXPECT_TRUE(ended());
  EXPECT_TRUE(d->connected());
  before = d->attempts();
  token_life = -301s;
  clock.advance(300s);
  EXPECT_TRUE(ended());
  Result<void> again;
  const auto until = std::chrono::steady_clock::now() + kLimit;
  while ((again = d->connected()) && std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  EXPECT_FALSE(again);
}

TEST_F(WholeHub, OnlyItsOwnTopics) {
  const std::string d_key = key("d");
  key("other");
  auto d = device("d", d_key);
  for (const char* filter :
       {"#", "devices/other/messages/devicebound/#", "devices/+/messages/devicebound/#"})
    EXPECT_EQ(d->subscribe(filter).error().code(), Code::denied) << filter;
  // A message for another is never acknowledged; the connection ends.
  const auto sent = run_task(
      d->client().publish({"devices/other/messages/events/", "x", Qos::at_least_once}, 300ms));
  EXPECT_EQ(sent.error().code(), Code::timed_out);
  EXPECT_TRUE(run_task(hub->telemetry().read("", 0, 10))->empty());
}

TEST_F(WholeHub, TheEdgeHubSpeaksForItsModules) {
  key("edge", true);
  key("edge/m");
  key("other");
  auto upstream = device("edge/$edgeHub", (*hub->devices().find({"edge", "$edgeHub"}))->keys[1]);
  ASSERT_TRUE(upstream->publish(wire::telemetry_topic({"edge", "m"}, {{"$.on", "out"}}), "x"));
  EXPECT_EQ(run_task(hub->telemetry().read("edge", 0, 10))->at(0).from, (Address{"edge", "m"}));
  // A module that was removed meanwhile sent its message while it was there.
  ASSERT_TRUE(upstream->publish(wire::telemetry_topic({"edge", "gone"}, {}), "y"));
  EXPECT_EQ(run_task(hub->telemetry().read("edge", 0, 10))->at(1).from, (Address{"edge", "gone"}));
  // A disabled one's is taken and dropped: a refusal would hold up those behind it.
  IdentityWishes off;
  off.enabled = false;
  ASSERT_TRUE(run_task(hub->devices().update({"edge", "m"}, off, std::nullopt)));
  ASSERT_TRUE(upstream->publish(wire::telemetry_topic({"edge", "m"}, {}), "z"));
  EXPECT_EQ(run_task(hub->telemetry().read("edge", 0, 10))->size(), 2u);
  EXPECT_FALSE(run_task(upstream->client().publish(
      {wire::telemetry_topic({"other", ""}, {}), "x", Qos::at_least_once}, 200ms)));
}

TEST_F(WholeHub, MethodsAreAnsweredOrTimeOut) {
  auto d = device("d", key("d"));
  ASSERT_TRUE(d->connected());
  const std::string body = R"({"methodName":"go","payload":{"n":1},"responseTimeoutInSeconds":5})";
  EXPECT_EQ(call("POST", "/twins/d/methods", body).status, 404u);
  ASSERT_TRUE(d->subscribe(wire::kMethods));
  std::thread answerer([&] {
    const auto request = d->next("$iothub/methods/POST/go/?$rid=");
    ASSERT_TRUE(request);
    EXPECT_EQ(request->payload, R"({"n":1})");
    const auto parsed = std::get<wire::MethodRequest>(*wire::parse_to_device(request->topic));
    EXPECT_TRUE(d->publish(wire::method_response_topic(207, parsed.rid), R"({"done":true})"));
  });
  const auto answer = call("POST", "/twins/d/methods", body);
  answerer.join();
  EXPECT_EQ(answer.status, 200u) << answer.body;
  EXPECT_EQ(object(answer), json::parse(R"({"status":207,"payload":{"done":true}})"));
  EXPECT_EQ(call("POST", "/twins/d/methods", R"({"methodName":"go","responseTimeoutInSeconds":1})")
                .status,
            504u);
  EXPECT_EQ(call("POST", "/twins/d/methods", R"({"methodName":"a/b"})").status, 400u);
  EXPECT_EQ(call("POST", "/twins/d/methods", R"({"payload":1})").status, 400u);
}

}  // namespace
}  // namespace holdfast::iot
