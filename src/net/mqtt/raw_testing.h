// For tests: a handler that records, and a client that sends and reads packets one by one.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "base/files.h"
#include "net/mqtt/server.h"

namespace holdfast::mqtt {

inline constexpr auto kPatience = std::chrono::seconds(60);

// Lets in whoever has not the password "wrong"; grants what does not begin with "forbidden".
class RecordingHandler : public Handler {
 public:
  Task<ConnectAnswer> connect(const Connect& request, const Peer&) override {
    ConnectAnswer out = answer;
    if (request.password == "wrong") out.code = ConnectCode::not_authorized;
    co_return out;
  }
  void connected(const std::shared_ptr<Session>& session) override {
    note("connected " + session->client_id());
  }
  Task<uint8_t> subscribe(std::shared_ptr<Session>, Subscription wanted) override {
    co_return wanted.filter.starts_with("forbidden") ? kRefused : static_cast<uint8_t>(wanted.qos);
  }
  void subscribed(const std::shared_ptr<Session>& session, const Subscription& granted) override {
    note("subscribed " + granted.filter);
    if (greet) (void)session->send({"greeting", "hello", Qos::at_least_once});
  }
  Task<void> unsubscribe(std::shared_ptr<Session>, std::string filter) override {
    note("unsubscribed " + filter);
    co_return;
  }
  Task<Result<void>> publish(std::shared_ptr<Session>, Publish message) override {
    note("begun " + message.payload);
    while (held(message.payload)) (void)co_await sleep_for(std::chrono::milliseconds(1));
    if (message.payload == "refuse me") co_return fail(Code::invalid_argument, "told to");
    note("taken " + message.payload);
    co_return Result<void>();
  }
  Task<void> will(std::shared_ptr<Session>, Will will) override {
    note("will " + will.payload);
    co_return;
  }
  void disconnected(const std::shared_ptr<Session>& session, Ended how) override {
    static constexpr const char* names[] = {"by client", "lost", "taken over", "closed here"};
    note("disconnected " + session->client_id() + " " + names[static_cast<int>(how)]);
  }

  // Waits until this was noted so often; false where it takes too long.
  bool saw(const std::string& what, size_t times = 1) {
    std::unique_lock lock(mutex_);
    return noted_.wait_for(lock, kPatience, [&] { return count(what) >= times; });
  }
  bool has(const std::string& what) {
    const std::lock_guard lock(mutex_);
    return count(what) > 0;
  }
  void hold(std::string payload) {
    const std::lock_guard lock(mutex_);
    held_ = std::move(payload);
  }

  ConnectAnswer answer;
  bool greet = false;

 private:
  bool held(const std::string& payload) {
    const std::lock_guard lock(mutex_);
    return !payload.empty() && payload == held_;
  }
  void note(std::string what) {
    const std::lock_guard lock(mutex_);
    notes_.push_back(std::move(what));
    noted_.notify_all();
  }
  size_t count(const std::string& what) const {
    return static_cast<size_t>(std::count(notes_.begin(), notes_.end(), what));
  }
  std::mutex mutex_;
  std::condition_variable noted_;
  std::vector<std::string> notes_;
  std::string held_;
};

class RawClient {
 public:
  explicit RawClient(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  void send(const Packet& packet) { send_bytes(encode(packet)); }
  void send_bytes(std::string_view bytes) {
    EXPECT_EQ(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // The next packet; nullopt at the end of the connection, or after `patience`.
  std::optional<Packet> read(std::chrono::milliseconds patience = kPatience) {
    for (;;) {
      if (auto decoded = decode(buffer_, 1 << 20).value()) {
        buffer_.erase(0, decoded->size);
        return std::move(decoded->packet);
      }
      pollfd ready{fd_.get(), POLLIN, 0};
      if (::poll(&ready, 1, static_cast<int>(patience.count())) <= 0) return std::nullopt;
      char piece[4096];
      const ssize_t count = ::recv(fd_.get(), piece, sizeof piece, 0);
      if (count <= 0) {
        ended_ = true;
        return std::nullopt;
      }
      buffer_.append(piece, static_cast<size_t>(count));
    }
  }
  template <class T>
  T expect() {
    auto packet = read();
    const auto* found = packet ? std::get_if<T>(&*packet) : nullptr;
    EXPECT_NE(found, nullptr) << (packet ? "another packet: " + std::to_string(packet->index())
                                         : std::string("no packet"));
    return found ? *found : T();
  }
  // True where the server closes, with nothing more to read.
  bool closed() { return !read() && ended_; }
  Connack connect(std::string id, bool clean = true, uint16_t keep_alive = 60,
                  std::optional<Will> will = {}) {
    Connect request;
    request.client_id = std::move(id);
    request.clean_session = clean;
    request.keep_alive = keep_alive;
    request.will = std::move(will);
    send(request);
    return expect<Connack>();
  }

 private:
  Fd fd_;
  std::string buffer_;
  bool ended_ = false;
};

}  // namespace holdfast::mqtt
