#include "net/stream.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "base/files.h"
#include "net/runtime.h"

namespace holdfast {
namespace {

using boost::asio::ip::tcp;

// A file sent to a connection that has ended: an error, and never a signal that ends the program.
Task<Result<void>> send_to_ended() {
  const Executor executor = co_await this_executor();
  const tcp::endpoint loopback(boost::asio::ip::address_v4::loopback(), 0);
  tcp::acceptor acceptor(executor, loopback);
  tcp::socket peer(executor);
  peer.connect(acceptor.local_endpoint());
  Stream stream(acceptor.accept());
  stream.abort();
  char name[] = "/tmp/stream_test.XXXXXX";
  const Fd file(::mkstemp(name));
  ::unlink(name);
  CO_TRY_VOID(write_all(file.get(), as_bytes(std::string_view("some bytes"))));
  co_return co_await stream.send_file(file.get(), 0, 10);
}

TEST(Stream, AFileSentToAnEndedConnectionIsAnError) {
  const auto sent = run_task(send_to_ended());
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code(), Code::unavailable);
}

}  // namespace
}  // namespace holdfast
