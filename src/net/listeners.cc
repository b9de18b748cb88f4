#include "net/listeners.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "net/http/address.h"

namespace holdfast {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

Result<std::unique_ptr<Listeners>> Listeners::open(Runtime& runtime, std::string name,
                                                   std::string text) {
  TRY(const http::HostPort at, http::parse_host_port(text));
  boost::system::error_code error;
  const auto address =
      asio::ip::make_address(at.host == "localhost" ? "127.0.0.1" : at.host, error);
  if (error)
    return fail(Code::invalid_argument,
                name + ": '" + at.host + "' is not an address to listen on; write an IP address");
  std::unique_ptr<Listeners> made(new Listeners(name, at.host));
  made->port_ = at.port;
  for (unsigned i = 0; i < runtime.size(); ++i) {
    auto acceptor = std::make_unique<tcp::acceptor>(runtime.executor(i));
    const tcp::endpoint endpoint(address, made->port_);
    acceptor->open(endpoint.protocol());
    acceptor->set_option(asio::socket_base::reuse_address(true));
    const int on = 1;
    // Between our own listeners only: another program's port is a conflict, which is looked up
    // before.
    if (runtime.size() > 1)
      ::setsockopt(acceptor->native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (i == 0 && made->port_ != 0) {
      const auto ipv4 = address.is_v4() ? address.to_v4().to_uint() : 0;
      if (auto holder = http::port_holder(ipv4, made->port_)) {
        return fail(
            Code::conflict, "address_in_use",
            name + ": " + text + " is in use by " + *holder + "; stop it or set another address");
      }
    }
    acceptor->bind(endpoint, error);
    if (!error) acceptor->listen(asio::socket_base::max_listen_connections, error);
    if (error == asio::error::address_in_use) {
      return fail(Code::conflict, "address_in_use",
                  name + ": " + text + " is in use; stop that program or set another address");
    }
    if (error)
      return fail(Code::invalid_argument,
                  name + ": cannot listen on " + text + ": " + error.message());
    made->port_ = acceptor->local_endpoint().port();
    made->acceptors_.push_back(std::move(acceptor));
  }
  return made;
}

void Listeners::start(TaskGroup& group, std::function<void(unsigned, tcp::socket)> accepted) {
  accepted_ = std::move(accepted);
  for (unsigned core = 0; core < cores(); ++core)
    group.spawn(executor(core), "accept", accept(core));
}

Task<void> Listeners::accept(unsigned core) {
  while (!closing_) {
    auto [error, socket] =
        co_await acceptors_[core]->async_accept(asio::as_tuple(asio::use_awaitable));
    if (error == asio::error::operation_aborted || closing_) co_return;
    if (error) {
      // No descriptors left: the backlog waits until a connection ends.
      log::warning("net", "cannot accept a connection",
                   {{"server", name_}, {"error", error.message()}});
      co_await sleep_for(std::chrono::milliseconds(100));
      continue;
    }
    accepted_(core, std::move(socket));
  }
}

bool Listeners::close() {
  if (closing_.exchange(true)) return false;
  for (auto& acceptor : acceptors_) {
    asio::post(acceptor->get_executor(), [at = acceptor.get()] {
      boost::system::error_code ignored;
      at->close(ignored);
    });
  }
  return true;
}

std::string Listeners::address() const {
  return (host_.find(':') == std::string::npos ? host_ : "[" + host_ + "]") + ":" +
         std::to_string(port_);
}

}  // namespace holdfast
