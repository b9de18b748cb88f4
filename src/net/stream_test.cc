#include "net/stream.h"

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <thread>

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

// What the kernel tells of a connection, further than the C library's tcp_info goes.
struct LongTcpInfo {
  tcp_info known;
  uint64_t rates_and_bytes[4];
  uint32_t packets[2], not_sent, shortest_rtt, data_packets_in, data_packets_out;
};

struct Sent {
  uint64_t bytes = 0;  // that arrived
  uint64_t packets = 0, segment = 0;
};

Task<Result<Sent>> send_large(uint64_t size) {
  const Executor executor = co_await this_executor();
  const tcp::endpoint loopback(boost::asio::ip::address_v4::loopback(), 0);
  tcp::acceptor acceptor(executor, loopback);
  tcp::socket peer(executor);
  peer.open(tcp::v4());
  // A window that is never full: what leaves is the sender's choice.
  peer.set_option(boost::asio::socket_base::receive_buffer_size(4 << 20));
  peer.connect(acceptor.local_endpoint());
  Stream stream(acceptor.accept());
  char name[] = "/tmp/stream_test.XXXXXX";
  const Fd file(::mkstemp(name));
  ::unlink(name);
  CO_TRY_VOID(write_all(file.get(), as_bytes(std::string(size, 'x'))));
  Sent sent;
  std::thread reader([&] {
    while (sent.bytes < size) {
      // Dropped in the kernel: a reader that is never behind.
      const ssize_t count = ::recv(peer.native_handle(), nullptr, 1 << 20, MSG_TRUNC);
      if (count <= 0) return;
      sent.bytes += static_cast<uint64_t>(count);
    }
  });
  const auto done = co_await stream.send_file(file.get(), 0, size);
  if (!done) stream.abort();
  reader.join();
  CO_TRY_VOID(done);
  LongTcpInfo info{};
  socklen_t length = sizeof info;
  ::getsockopt(stream.socket().native_handle(), IPPROTO_TCP, TCP_INFO, &info, &length);
  sent.packets = info.data_packets_out;
  sent.segment = info.known.tcpi_snd_mss;
  co_return sent;
}

TEST(Stream, AFileLeavesInWholeSegments) {
  constexpr uint64_t kSize = (1 << 20) + 1;
  const auto sent = run_task(send_large(kSize));
  ASSERT_TRUE(sent) << sent.error().message();
  EXPECT_EQ(sent->bytes, kSize);
  ASSERT_GT(sent->segment, 0u);
  // Each piece of 64 KiB would add one of its own.
  EXPECT_LE(sent->packets, kSize / sent->segment + 4) << "segments of " << sent->segment;
}

}  // namespace
}  // namespace holdfast
