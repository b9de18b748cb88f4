// The Client over sockets and the one in memory keep the same promises.
#include "net/mqtt/testing.h"

#include <algorithm>

#include "net/mqtt/raw_testing.h"

namespace holdfast::mqtt {
namespace {

using namespace std::chrono_literals;
constexpr auto kLimit = 60s;

struct MqttClient : testing::TestWithParam<bool> {
  bool memory() const { return GetParam(); }

  void SetUp() override {
    handler.answer.session_present = false;
    options.client_id = "a";
    options.first_delay = 5ms;
    options.on_message = [this](Publish message) { return take(std::move(message)); };
    options.on_state = [this](bool up, const Error*) { ups += up ? 1 : 0; };
  }
  Task<Result<void>> take(Publish message) {
    const std::lock_guard lock(mutex);
    got.push_back(message);
    if (refuse_next) {
      refuse_next = false;
      co_return fail(Code::unavailable, "told to");
    }
    co_return Result<void>();
  }
  void begin() {
    if (memory()) {
      auto made = make_memory_client(runtime.executor(0), options, handler);
      linked = made.get();
      client = std::move(made);
    } else {
      serve("127.0.0.1:0");
      options.host = "127.0.0.1";
      options.port = server->port();
      client = make_client(runtime.executor(0), options);
    }
    runtime.start();
    client->start();
  }
  void serve(std::string address) {
    ServerOptions server_options;
    server_options.address = std::move(address);
    auto started = Server::start(runtime, server_options, handler, clock);
    ASSERT_TRUE(started) << started.error().message();
    server = std::move(*started);
  }
  // Loses the connection; it comes back by itself.
  void lose() {
    if (memory()) {
      linked->cut();
      linked->restore();
    } else {
      session()->close("a test");
    }
  }
  std::shared_ptr<Session> session() {
    EXPECT_TRUE(handler.saw("connected a"));
    return handler.latest();
  }
  bool wait_for(const std::function<bool()>& what) {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < until) {
      {
        const std::lock_guard lock(mutex);
        if (what()) return true;
      }
      std::this_thread::yield();
    }
    return false;
  }
  Result<void> publish(std::string payload, Qos qos = Qos::at_least_once) {
    return run_task(client->publish({"t", std::move(payload), qos}, kLimit));
  }
  void TearDown() override {
    handler.hold("");
    if (client) run_task(client->stop());
    if (server) run_task(server->stop(5s));
  }

  SystemClock clock;
  struct Remembering : RecordingHandler {
    void connected(const std::shared_ptr<Session>& now) override {
      {
        const std::lock_guard lock(mutex);
        session = now;
      }
      RecordingHandler::connected(now);
    }
    std::shared_ptr<Session> latest() {
      const std::lock_guard lock(mutex);
      return session;
    }
    std::mutex mutex;
    std::shared_ptr<Session> session;
  } handler;
  Runtime runtime{2};
  std::unique_ptr<Server> server;
  ClientOptions options;
  std::unique_ptr<Client> client;
  MemoryClient* linked = nullptr;
  std::mutex mutex;
  std::vector<Publish> got;
  bool refuse_next = false;
  std::atomic<int> ups{0};
};

TEST_P(MqttClient, PublishesAndReceives) {
  begin();
  ASSERT_TRUE(run_task(client->wait_connected(kLimit)));
  ASSERT_TRUE(publish("one"));
  EXPECT_TRUE(handler.has("taken one"));
  ASSERT_TRUE(publish("zero", Qos::at_most_once));
  EXPECT_TRUE(handler.saw("taken zero"));
  ASSERT_TRUE(run_task(client->subscribe({"in/#", Qos::at_least_once}, kLimit)));
  EXPECT_EQ(run_task(client->subscribe({"forbidden", Qos::at_least_once}, kLimit)).error().code(),
            Code::denied);
  EXPECT_EQ(session()->granted("in/1"), Qos::at_least_once);
  std::atomic<int> acknowledged{0};
  ASSERT_TRUE(session()->send({"in/1", "m", Qos::at_least_once}, [&] { ++acknowledged; }));
  EXPECT_TRUE(wait_for([&] { return acknowledged == 1; }));
  EXPECT_EQ(got.at(0).payload, "m");
  ASSERT_TRUE(run_task(client->unsubscribe("in/#", kLimit)));
  EXPECT_FALSE(session()->granted("in/1"));
}

TEST_P(MqttClient, AMessageUnderWaySurvivesALostConnection) {
  begin();
  ASSERT_TRUE(run_task(client->wait_connected(kLimit)));
  handler.hold("m");
  std::thread breaker([&] {
    EXPECT_TRUE(handler.saw("begun m"));
    lose();
    // In memory the first handler ends before the message is sent again.
    if (!memory()) EXPECT_TRUE(handler.saw("begun m", 2));
    handler.hold("");
  });
  EXPECT_TRUE(publish("m"));
  breaker.join();
  EXPECT_TRUE(wait_for([&] { return ups >= 2; }));
}

TEST_P(MqttClient, AMessageThatWasNotTakenComesAgain) {
  refuse_next = true;
  begin();
  ASSERT_TRUE(run_task(client->wait_connected(kLimit)));
  std::atomic<int> acknowledged{0};
  ASSERT_TRUE(session()->send({"in", "m", Qos::at_least_once}, [&] { ++acknowledged; }));
  ASSERT_TRUE(wait_for([&] { return got.size() == 1; }));
  EXPECT_EQ(acknowledged, 0);
  lose();
  ASSERT_TRUE(wait_for([&] { return acknowledged == 1; }));
  EXPECT_EQ(got.size(), 2u);
  EXPECT_TRUE(got[1].dup);
}

TEST_P(MqttClient, WrongCredentialsAreDenied) {
  options.credentials = []() -> Task<Result<Credentials>> { co_return Credentials{"u", "wrong"}; };
  begin();
  EXPECT_EQ(run_task(client->wait_connected(kLimit)).error().code(), Code::denied);
}

TEST_P(MqttClient, WithoutAConnectionQos0IsUnavailableAndQos1TimesOut) {
  options.credentials = []() -> Task<Result<Credentials>> {
    co_return fail(Code::unavailable, "no token yet");
  };
  begin();
  EXPECT_EQ(publish("m", Qos::at_most_once).error().code(), Code::unavailable);
  if (memory()) return;  // there, a failed attempt is final until restore()
  const auto late = run_task(client->publish({"t", "m", Qos::at_least_once}, 50ms));
  EXPECT_EQ(late.error().code(), Code::timed_out);
  EXPECT_NE(late.error().message().find("no token yet"), std::string::npos);
}

TEST_P(MqttClient, AStopEndsEveryWait) {
  begin();
  ASSERT_TRUE(run_task(client->wait_connected(kLimit)));
  handler.hold("m");
  std::thread stopper([&] {
    EXPECT_TRUE(handler.saw("begun m"));
    run_task(client->stop());
    handler.hold("");
  });
  const auto ended = publish("m");
  stopper.join();
  if (!memory()) EXPECT_EQ(ended.error().code(), Code::cancelled);
}

TEST_P(MqttClient, ARestartedServerFindsTheSubscriptionsAgain) {
  begin();
  ASSERT_TRUE(run_task(client->subscribe({"in/#", Qos::at_least_once}, kLimit)));
  if (memory()) return;
  const std::string address = server->address();
  run_task(server->stop(1s));
  server.reset();
  std::thread sender([&] { EXPECT_TRUE(publish("while away")); });
  serve(address);
  sender.join();
  EXPECT_TRUE(handler.has("taken while away"));
  ASSERT_TRUE(wait_for([&] { return ups >= 2; }));
  EXPECT_EQ(handler.latest()->granted("in/1"), Qos::at_least_once);
}

INSTANTIATE_TEST_SUITE_P(OverSockets, MqttClient, testing::Values(false));
INSTANTIATE_TEST_SUITE_P(InMemory, MqttClient, testing::Values(true));

}  // namespace
}  // namespace holdfast::mqtt
