// The client's connections and their pool. For client.cc and pool.cc alone.
#pragma once

#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/http/address.h"
#include "net/http/client.h"
#include "net/stream.h"

namespace holdfast::http {

// A pooled connection; belongs to one executor for life, and to one exchange at a time.
struct Wire {
  Wire(Executor executor_, boost::asio::ip::tcp::socket socket);
  Executor executor;
  Stream stream;
  boost::asio::steady_timer timer;
  std::string buffer;  // bytes read beyond what was parsed
  bool used = false;   // has carried a request before
  bool timed_out = false;
  uint64_t armed =
      0;  // which expect_within() is in force: a handler of an earlier one does nothing
  MonoTime idle_since{};

  // Aborts the stream when `time` passes without a further call; zero: no limit.
  void expect_within(const std::shared_ptr<Wire>& self, std::chrono::milliseconds time);
};

// Any thread may call.
struct Client::State {
  ClientOptions options;

  enum class Turn { reuse, open, wait };
  // reuse: an idle connection of this executor, in `wire`; open: one may be made, and is counted;
  // wait: all are busy.
  Turn take(const std::string& key, const Executor& executor, std::shared_ptr<Wire>& wire);
  void give_back(const std::string& key, std::shared_ptr<Wire> wire);
  void closed(const std::string& key);
  // unavailable, timed_out.
  Task<Result<std::shared_ptr<Wire>>> connect(const Url& url, std::chrono::milliseconds limit);

 private:
  struct Host {
    std::list<std::shared_ptr<Wire>> idle;
    size_t open = 0;
  };
  Host& host(const std::string& key);
  std::mutex mutex_;
  std::vector<std::pair<std::string, Host>> hosts_;
};

// Returns the connection's place in the pool when the exchange ends in any way.
class Lease {
 public:
  Lease(std::shared_ptr<Client::State> state, std::string key)
      : state_(std::move(state)), key_(std::move(key)) {}
  Lease(Lease&& other) noexcept = default;
  Lease& operator=(Lease&&) = delete;
  ~Lease() {
    if (state_) state_->closed(key_);
  }
  // The connection may be used again. The caller must not touch it afterwards.
  void keep(std::shared_ptr<Wire> wire) {
    auto state = std::exchange(state_, nullptr);
    if (state) state->give_back(key_, std::move(wire));
  }

 private:
  std::shared_ptr<Client::State> state_;
  std::string key_;
};

inline Error in_time(const Wire& wire, Error error) {
  if (wire.timed_out) return Error(Code::timed_out, "no answer in time");
  return error;
}

}  // namespace holdfast::http
