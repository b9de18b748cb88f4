// The listening sockets of a server: one a core (SO_REUSEPORT), so that an accepted connection
// stays on the core that accepted it. For net/ alone.
#pragma once

#include <utility>

#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/runtime.h"
#include "net/task_group.h"

namespace holdfast {

class Listeners {
 public:
  // Binds. `name` is the server's, for errors. conflict (address_in_use) names the address and,
  // where /proc tells, the program; invalid_argument.
  static Result<std::unique_ptr<Listeners>> open(Runtime& runtime, std::string name,
                                                 std::string address);

  // Accepts in `group` until close(); `accepted` runs on the executor of core number `core`. It
  // must outlive the group's tasks.
  void start(TaskGroup& group,
             std::function<void(unsigned core, boost::asio::ip::tcp::socket socket)> accepted);
  bool close();  // any thread; returns at once; false: it was closed before

  std::string address() const;  // with the real port
  uint16_t port() const { return port_; }
  unsigned cores() const { return static_cast<unsigned>(acceptors_.size()); }
  Executor executor(unsigned core) const { return acceptors_[core]->get_executor(); }

 private:
  Listeners(std::string name, std::string host) : name_(std::move(name)), host_(std::move(host)) {}
  Task<void> accept(unsigned core);

  const std::string name_, host_;
  uint16_t port_ = 0;
  std::vector<std::unique_ptr<boost::asio::ip::tcp::acceptor>> acceptors_;
  std::function<void(unsigned, boost::asio::ip::tcp::socket)> accepted_;
  std::atomic<bool> closing_{false};
};

}  // namespace holdfast
