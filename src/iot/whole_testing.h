// For tests: the whole hub in one process, MQTT over sockets, REST over HTTP, a database in memory.
#pragma once

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <atomic>
#include <condition_variable>

#include "device_wire/sas.h"
#include "device_wire/topics.h"
#include "iot/hub.h"
#include "net/http/testing.h"
#include "net/mqtt/client.h"
#include "net/mqtt/server.h"

namespace holdfast::iot {
namespace json = boost::json;
namespace wire = device_wire;
using namespace std::chrono_literals;
using mqtt::Publish;
using mqtt::Qos;

inline constexpr auto kLimit = 20s;
inline const std::string kHost = "hub.local";

// A device or module as an SDK would be.
class Device {
 public:
  Device(Runtime& runtime, uint16_t port, Address address, std::string key,
         std::function<WallTime()> expiry)
      : address_(std::move(address)), key_(std::move(key)), expiry_(std::move(expiry)) {
    mqtt::ClientOptions options;
    options.host = "127.0.0.1";
    options.port = port;
    options.client_id = address_.text();
    options.first_delay = 5ms;
    options.credentials = [this]() -> Task<Result<mqtt::Credentials>> { co_return credentials(); };
    options.on_message = [this](Publish message) -> Task<Result<void>> {
      const std::lock_guard lock(mutex_);
      got_.push_back(std::move(message));
      changed_.notify_all();
      co_return Result<void>();
    };
    client_ = mqtt::make_client(runtime.next_executor(), options);
    client_->start();
  }
  ~Device() { run_task(client_->stop()); }

  Result<void> connected() { return run_task(client_->wait_connected(kLimit)); }
  Result<void> subscribe(std::string_view filter, Qos qos = Qos::at_least_once) {
    return run_task(client_->subscribe({std::string(filter), qos}, kLimit));
  }
  Result<void> publish(std::string topic, std::string payload, Qos qos = Qos::at_least_once) {
    return run_task(client_->publish({std::move(topic), std::move(payload), qos}, kLimit));
  }
  // The next message whose topic begins so, taken out.
  std::optional<Publish> next(std::string_view start, std::chrono::milliseconds patience = kLimit) {
    std::unique_lock lock(mutex_);
    std::optional<Publish> out;
    changed_.wait_for(lock, patience, [&] {
      for (auto it = got_.begin(); it != got_.end(); ++it) {
        if (!it->topic.starts_with(start)) continue;
        out = std::move(*it);
        got_.erase(it);
        return true;
      }
      return false;
    });
    return out;
  }
  json::object twin() {
    EXPECT_TRUE(publish(wire::twin_get_topic("g"), " "));
    const auto answer = next("$iothub/twin/res/200/?$rid=g");
    EXPECT_TRUE(answer);
    return answer ? json::parse(answer->payload).as_object() : json::object();
  }
  mqtt::Client& client() { return *client_; }
  int attempts() const { return attempts_; }  // to connect, so far

 private:
  mqtt::Credentials credentials() {
    ++attempts_;
    wire::ConnectName name;
    name.host = kHost;
    name.address = address_;
    name.api_version = "2021-04-12";
    return {wire::format_connect_name(name),
            wire::make_sas(wire::resource_of(kHost, address_), key_, expiry_()).value_or("")};
  }
  const Address address_;
  const std::string key_;
  const std::function<WallTime()> expiry_;
  std::atomic<int> attempts_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Publish> got_;
  std::unique_ptr<mqtt::Client> client_;
};

struct WholeHub : testing::Test {
  FakeClock clock{SystemClock().now()};
  std::unique_ptr<store::Database> database = *store::open_sqlite({":memory:"});
  std::unique_ptr<Hub> hub = *Hub::open(*database, clock);
  Runtime runtime{2};
  std::unique_ptr<mqtt::Server> server;
  http::Router router;
  std::unique_ptr<http::LoopbackServer> rest;
  std::chrono::seconds token_life{3600};

  void SetUp() override {
    auto started = mqtt::Server::start(runtime, {}, hub->gateway(), clock);
    ASSERT_TRUE(started) << started.error().message();
    server = std::move(*started);
    hub->mount(router, [](const http::Request& request) -> Result<http::Principal> {
      const auto header = request.headers.get_or("Authorization", "");
      if (header == "Bearer admin") return http::Principal{"root", "admin"};
      if (header == "Bearer reader") return http::Principal{"eve", "reader"};
      return fail(Code::unauthenticated, "not a token");
    });
    rest = std::make_unique<http::LoopbackServer>(router);
    runtime.start();
  }
  void TearDown() override { run_task(server->stop(5s)); }

  std::string key(const std::string& text, bool edge = false) {
    IdentityWishes wishes;
    wishes.edge = edge;
    return run_task(hub->devices().create(*wire::parse_address(text), wishes)).value().keys[0];
  }
  std::unique_ptr<Device> device(const std::string& text, const std::string& with) {
    return std::make_unique<Device>(runtime, server->port(), *wire::parse_address(text), with,
                                    [this] { return clock.now() + token_life; });
  }
  // As the service SDK calls: with the owner policy's SAS unless told otherwise.
  http::Client::Whole call(std::string method, std::string target, std::string body = "",
                           std::vector<std::pair<std::string, std::string>> headers = {}) {
    http::ClientRequest request(std::move(method), rest->url(target));
    request.body = std::move(body);
    bool authorised = false;
    for (auto& [name, value] : headers) {
      authorised = authorised || name == "Authorization";
      if (!value.empty()) request.headers.set(name, value);
    }
    if (!authorised) request.headers.set("Authorization", owner());
    auto answer = http::fetch(std::move(request));
    EXPECT_TRUE(answer) << answer.error().message();
    return std::move(*answer);
  }
  std::string owner(const std::string& resource = kHost) {
    return *wire::make_sas(resource, (*hub->devices().policy("iothubowner"))[0], clock.now() + 1h,
                           "iothubowner");
  }
  static json::object object(const http::Client::Whole& answer) {
    boost::system::error_code error;
    auto value = json::parse(answer.body, error);
    EXPECT_TRUE(!error && value.is_object()) << answer.body;
    return value.is_object() ? value.as_object() : json::object();
  }
};

}  // namespace holdfast::iot
