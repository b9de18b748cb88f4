#include "net/connect.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <vector>

namespace holdfast {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

Task<Result<void>> connect(Stream& stream, const std::string& host, uint16_t port,
                           const MayConnect& allowed) {
  constexpr auto await = asio::as_tuple(asio::use_awaitable);
  std::vector<tcp::endpoint> endpoints;
  boost::system::error_code error;
  if (const auto address = asio::ip::make_address(host, error); !error) {
    endpoints.emplace_back(address, port);
  } else {
    tcp::resolver resolver(stream.socket().get_executor());
    const auto [failed, found] = co_await resolver.async_resolve(host, std::to_string(port), await);
    if (failed)
      co_return fail(Code::unavailable, "no address for " + host + ": " + failed.message());
    for (const auto& entry : found) endpoints.push_back(entry.endpoint());
  }
  if (allowed) {
    std::string refused;
    std::erase_if(endpoints, [&](const tcp::endpoint& endpoint) {
      const std::string address = endpoint.address().to_string();
      if (allowed(host, port, address)) return false;
      refused = address;
      return true;
    });
    if (endpoints.empty())
      co_return fail(Code::denied, "address_not_allowed",
                     host + " is at " + refused + ", which may not be connected to");
  }
  auto& socket = stream.socket();
  const auto [failed, endpoint] = co_await asio::async_connect(socket, endpoints, await);
  if (failed)
    co_return fail(Code::unavailable, "no connection to " + host + ":" + std::to_string(port) +
                                          ": " + failed.message());
  socket.set_option(tcp::no_delay(true), error);
  socket.non_blocking(true, error);
  co_return Result<void>();
}

}  // namespace holdfast
