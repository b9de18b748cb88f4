#include "net/mqtt/server.h"

#include <algorithm>

#include "net/mqtt/raw_testing.h"

namespace holdfast::mqtt {
namespace {

using namespace std::chrono_literals;

struct MqttServer : testing::Test {
  void start(ServerOptions options = {}) {
    options.connect_timeout = std::min<std::chrono::seconds>(options.connect_timeout, 30s);
    auto started = Server::start(runtime, options, handler, clock);
    ASSERT_TRUE(started) << started.error().message();
    server = std::move(*started);
    runtime.start();
  }
  void TearDown() override {
    handler.hold("");
    if (server) run_task(server->stop(5s));
  }
  RawClient client() { return RawClient(server->port()); }

  FakeClock clock;
  RecordingHandler handler;
  Runtime runtime{2};
  std::unique_ptr<Server> server;
};

TEST_F(MqttServer, PubackComesAfterTheHandlerIsDoneAndInOrder) {
  start();
  auto peer = client();
  EXPECT_EQ(peer.connect("a").code, ConnectCode::accepted);
  handler.hold("one");
  peer.send(Publish{"t", "one", Qos::at_least_once, 1});
  peer.send(Publish{"t", "two", Qos::at_least_once, 2});
  ASSERT_TRUE(handler.saw("taken two"));
  EXPECT_FALSE(peer.read(50ms));
  handler.hold("");
  EXPECT_EQ(peer.expect<Puback>().id, 1);
  EXPECT_EQ(peer.expect<Puback>().id, 2);
}

TEST_F(MqttServer, ARefusedMessageClosesWithoutPuback) {
  start();
  auto peer = client();
  peer.connect("a");
  peer.send(Publish{"t", "refuse me", Qos::at_least_once, 1});
  EXPECT_TRUE(peer.closed());
  EXPECT_TRUE(handler.saw("disconnected a lost"));
}

TEST_F(MqttServer, NoMoreThanTheLimitIsUnanswered) {
  ServerOptions options;
  options.max_unanswered = 2;
  start(options);
  auto peer = client();
  peer.connect("a");
  handler.hold("x");
  for (uint16_t id = 1; id <= 3; ++id)
    peer.send(Publish{"t", id == 3 ? "third" : "x", Qos::at_least_once, id});
  ASSERT_TRUE(handler.saw("begun x"));
  EXPECT_FALSE(peer.read(50ms));
  EXPECT_FALSE(handler.has("begun third"));
  handler.hold("");
  for (uint16_t id = 1; id <= 3; ++id) EXPECT_EQ(peer.expect<Puback>().id, id);
}

TEST_F(MqttServer, SubscriptionsAreGrantedRefusedAndBounded) {
  ServerOptions options;
  options.max_subscriptions = 2;
  start(options);
  auto peer = client();
  peer.connect("a");
  peer.send(Subscribe{9,
                      {{"a/#", Qos::at_least_once},
                       {"forbidden/x", Qos::at_least_once},
                       {"b", Qos::at_most_once},
                       {"c", Qos::at_most_once}}});
  const Suback suback = peer.expect<Suback>();
  EXPECT_EQ(suback.id, 9);
  EXPECT_EQ(suback.codes, (std::vector<uint8_t>{1, kRefused, 0, kRefused}));
  const auto session = server->find("a");
  EXPECT_EQ(session->granted("a/b"), Qos::at_least_once);
  EXPECT_EQ(session->granted("b"), Qos::at_most_once);
  EXPECT_FALSE(session->granted("c"));
  peer.send(Unsubscribe{10, {"a/#"}});
  EXPECT_EQ(peer.expect<Unsuback>().id, 10);
  EXPECT_FALSE(session->granted("a/b"));
  EXPECT_TRUE(handler.has("unsubscribed a/#"));
}

TEST_F(MqttServer, SubackComesBeforeWhatSubscribedSends) {
  handler.greet = true;
  start();
  auto peer = client();
  peer.connect("a");
  peer.send(Subscribe{1, {{"greeting", Qos::at_least_once}}});
  peer.expect<Suback>();
  EXPECT_EQ(peer.expect<Publish>().payload, "hello");
}

TEST_F(MqttServer, TheWindowHoldsAndPubackOpensIt) {
  ServerOptions options;
  options.max_in_flight = 2;
  options.max_queued = 4;
  start(options);
  auto peer = client();
  peer.connect("a");
  const auto session = server->find("a");
  std::atomic<int> acknowledged{0};
  for (const char* text : {"1", "2", "3", "4"})
    EXPECT_TRUE(session->send({"t", text, Qos::at_least_once}, [&] { ++acknowledged; }));
  EXPECT_EQ(session->send({"t", "5", Qos::at_least_once}).error().code(), Code::unavailable);
  const Publish first = peer.expect<Publish>();
  const Publish second = peer.expect<Publish>();
  EXPECT_EQ(first.payload + second.payload, "12");
  EXPECT_NE(first.id, second.id);
  EXPECT_FALSE(first.dup);
  EXPECT_FALSE(peer.read(50ms));
  EXPECT_EQ(acknowledged, 0);
  peer.send(Puback{second.id});
  EXPECT_EQ(peer.expect<Publish>().payload, "3");
  EXPECT_EQ(acknowledged, 1);
  peer.send(Puback{second.id});  // again: of no effect
  peer.send(Puback{first.id});
  EXPECT_EQ(peer.expect<Publish>().payload, "4");
  EXPECT_EQ(acknowledged, 2);
}

TEST_F(MqttServer, ATakeOverClosesTheOldSocketAndSendsAgainWhatWasInFlight) {
  start();
  auto old = client();
  EXPECT_FALSE(old.connect("a", false, 60, Will{"w", "bye"}).session_present);
  old.send(Subscribe{1, {{"t", Qos::at_least_once}}});
  old.expect<Suback>();
  const auto session = server->find("a");
  std::atomic<int> acknowledged{0};
  ASSERT_TRUE(session->send({"t", "m1", Qos::at_least_once}, [&] { ++acknowledged; }));
  const Publish lost = old.expect<Publish>();
  auto fresh = client();
  EXPECT_TRUE(fresh.connect("a", false).session_present);
  EXPECT_TRUE(old.closed());
  ASSERT_TRUE(session->send({"t", "m2", Qos::at_least_once}));
  const Publish again = fresh.expect<Publish>();
  EXPECT_EQ(again.payload, "m1");
  EXPECT_EQ(again.id, lost.id);
  EXPECT_TRUE(again.dup);
  EXPECT_EQ(fresh.expect<Publish>().payload, "m2");
  EXPECT_EQ(session->granted("t"), Qos::at_least_once);
  fresh.send(Puback{again.id});
  fresh.send(Pingreq{});
  fresh.expect<Pingresp>();
  EXPECT_EQ(acknowledged, 1);
  EXPECT_TRUE(handler.saw("disconnected a taken over"));
  EXPECT_TRUE(handler.has("will bye"));
  EXPECT_TRUE(session->connected());
}

TEST_F(MqttServer, AKeptSessionQueuesWhileAwayAndACleanOneEnds) {
  start();
  {
    auto peer = client();
    peer.connect("kept", false);
    peer.send(Disconnect{});
    EXPECT_TRUE(peer.closed());
  }
  ASSERT_TRUE(handler.saw("disconnected kept by client"));
  const auto session = server->find("kept");
  ASSERT_TRUE(session);
  EXPECT_EQ(session->send({"t", "now", Qos::at_most_once}).error().code(), Code::not_found);
  EXPECT_TRUE(session->send({"t", "later", Qos::at_least_once}));
  {
    auto peer = client();
    EXPECT_TRUE(peer.connect("kept", false).session_present);
    EXPECT_EQ(peer.expect<Publish>().payload, "later");
  }
  auto clean = client();
  EXPECT_FALSE(clean.connect("kept", true).session_present);
  EXPECT_EQ(session->send({"t", "x", Qos::at_least_once}).error().code(), Code::not_found);
  clean.send(Pingreq{});
  clean.expect<Pingresp>();
  clean.send(Disconnect{});
  EXPECT_TRUE(clean.closed());
  auto last = client();
  EXPECT_FALSE(last.connect("kept", false).session_present);
}

TEST_F(MqttServer, WhatTheHandlerRemembersIsASession) {
  handler.answer.session_present = true;
  handler.answer.subscriptions = {{"t/#", Qos::at_least_once}};
  start();
  auto peer = client();
  EXPECT_TRUE(peer.connect("a", false).session_present);
  EXPECT_EQ(server->find("a")->granted("t/1"), Qos::at_least_once);
}

TEST_F(MqttServer, SilenceEndsAfterOneAndAHalfKeepAlives) {
  start();
  auto peer = client();
  peer.connect("a", true, 10, Will{"w", "gone"});
  clock.advance(14s);
  peer.send(Pingreq{});
  peer.expect<Pingresp>();
  clock.advance(14s);
  peer.send(Pingreq{});
  peer.expect<Pingresp>();
  clock.advance(16s);
  EXPECT_TRUE(peer.closed());
  EXPECT_TRUE(handler.saw("will gone"));
}

TEST_F(MqttServer, CredentialsExpire) {
  handler.answer.expires = clock.now() + 100s;
  start();
  auto peer = client();
  peer.connect("a", false, 0);
  clock.advance(99s);
  peer.send(Pingreq{});
  peer.expect<Pingresp>();
  clock.advance(1s);
  EXPECT_TRUE(peer.closed());
  EXPECT_TRUE(handler.saw("disconnected a closed here"));
}

TEST_F(MqttServer, AnAbandonedSessionEnds) {
  start();
  {
    EXPECT_EQ(client().connect("a", false).code, ConnectCode::accepted);
  }
  ASSERT_TRUE(handler.saw("disconnected a lost"));
  const auto session = server->find("a");
  ASSERT_TRUE(session);
  clock.advance(3601s);
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (server->find("a") && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_FALSE(server->find("a"));
  EXPECT_FALSE(session->send({"t", "x", Qos::at_least_once}));
}

TEST_F(MqttServer, ADisconnectLeavesNoWill) {
  start();
  auto peer = client();
  peer.connect("a", true, 60, Will{"w", "bye"});
  peer.send(Disconnect{});
  EXPECT_TRUE(peer.closed());
  ASSERT_TRUE(handler.saw("disconnected a by client"));
  EXPECT_FALSE(handler.has("will bye"));
}

TEST_F(MqttServer, RefusalsHaveTheirCode) {
  ServerOptions options;
  options.max_connections = 1;
  start(options);
  {
    auto peer = client();
    Connect request;
    request.client_id = "a";
    request.username = "u";
    request.password = "wrong";
    peer.send(request);
    EXPECT_EQ(peer.expect<Connack>().code, ConnectCode::not_authorized);
    EXPECT_TRUE(peer.closed());
  }
  {
    auto peer = client();
    EXPECT_EQ(peer.connect("", false).code, ConnectCode::bad_client_id);
    EXPECT_TRUE(peer.closed());
  }
  {
    auto peer = client();
    peer.send_bytes(
        std::string_view("\x10\x0e\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x01"
                         "a",
                         16));
    EXPECT_EQ(peer.expect<Connack>().code, ConnectCode::bad_protocol);
    EXPECT_TRUE(peer.closed());
  }
  // Connections end on their own core's time.
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (server->connections() > 0 && std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  auto first = client();
  EXPECT_EQ(first.connect("a").code, ConnectCode::accepted);
  auto second = client();
  EXPECT_EQ(second.connect("b").code, ConnectCode::unavailable);
  EXPECT_TRUE(second.closed());
}

TEST_F(MqttServer, BrokenPeersHurtOnlyThemselves) {
  ServerOptions options;
  options.max_payload = 1000;
  start(options);
  auto good = client();
  good.connect("good");
  const std::string large(1001, 'x');
  const std::pair<const char*, std::string> rows[] = {
      {"no CONNECT first", encode(Pingreq{})},
      {"HTTP", "GET / HTTP/1.1\r\nHost: hub\r\n" + std::string(80, 'x')},
      {"a length beyond all limits", std::string("\x10\xff\xff\xff\x7f", 5)},
  };
  for (const auto& [what, bytes] : rows) {
    auto peer = client();
    peer.send_bytes(bytes);
    EXPECT_TRUE(peer.closed()) << what;
  }
  Connect again;
  again.client_id = "x";
  const std::pair<const char*, std::string> later[] = {
      {"a second CONNECT", encode(again)},
      {"QoS 2", std::string("\x34\x05\x00\x01t\x00\x01", 7)},
      {"SUBACK from a client", encode(Suback{1, {0}})},
      {"reserved flags", std::string("\xc1\x00", 2)},
      {"a large message", encode(Publish{"t", large, Qos::at_least_once, 1})},
      {"a wildcard in a topic", encode(Publish{"t/#", "", Qos::at_least_once, 1})},
  };
  for (const auto& [what, bytes] : later) {
    auto peer = client();
    EXPECT_EQ(peer.connect("bad").code, ConnectCode::accepted);
    peer.send_bytes(bytes);
    EXPECT_TRUE(peer.closed()) << what;
  }
  EXPECT_FALSE(handler.has("taken " + large));
  good.send(Pingreq{});
  good.expect<Pingresp>();
}

TEST_F(MqttServer, AStopAnswersWhatIsUnderWay) {
  start();
  auto peer = client();
  peer.connect("a", true, 60, Will{"w", "bye"});
  handler.hold("slow");
  peer.send(Publish{"t", "slow", Qos::at_least_once, 7});
  ASSERT_TRUE(handler.saw("begun slow"));
  std::thread stopper([&] { run_task(server->stop(10s)); });
  handler.hold("");
  EXPECT_EQ(peer.expect<Puback>().id, 7);
  EXPECT_TRUE(peer.closed());
  stopper.join();
  server.reset();
  EXPECT_FALSE(handler.has("will bye"));
}

}  // namespace
}  // namespace holdfast::mqtt
