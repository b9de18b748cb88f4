#include "net/stream.h"

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
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

std::string pem_of(const auto& write) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), &BIO_free);
  write(memory.get());
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  return std::string(text, static_cast<size_t>(size));
}

// A server's context with a certificate that it has signed itself, and a client's that trusts it.
struct TlsPair {
  std::shared_ptr<TlsContext> server, client;
};
Result<TlsPair> tls_pair() {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), &X509_free);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
  X509_set_pubkey(made.get(), key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("here"), -1, -1, 0);
  X509_set_issuer_name(made.get(), X509_get_subject_name(made.get()));
  X509_sign(made.get(), key.get(), EVP_sha256());
  const std::string certificate = pem_of([&](BIO* to) { PEM_write_bio_X509(to, made.get()); });
  const std::string key_text = pem_of([&](BIO* to) {
    PEM_write_bio_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  TlsPair out;
  TRY(out.server, TlsContext::server(certificate, key_text));
  TRY(out.client, TlsContext::client(certificate));
  return out;
}

// All that comes, until the end.
Task<Result<void>> read_by_tls(std::shared_ptr<TlsContext> tls, tcp::endpoint at,
                               std::string& bytes) {
  tcp::socket socket(co_await this_executor());
  socket.connect(at);
  Stream stream(std::move(socket));
  CO_TRY_VOID(co_await stream.handshake_client(std::move(tls), "here"));
  std::vector<std::byte> piece(100'000);
  for (size_t count = 1; count > 0;) {
    CO_TRY(count, co_await stream.read_some(piece));
    bytes += as_text(ByteView(piece).first(count));
  }
  co_return Result<void>();
}

struct Fetched {
  std::string bytes;
  bool kernel_tls = false;
  Result<void> sent;
};

// What a client has of `text`, of which `size` bytes are sent as a file, then "end" from memory.
Task<Result<Fetched>> fetch_by_tls(std::string text, uint64_t size) {
  CO_TRY(const TlsPair tls, tls_pair());
  const Executor executor = co_await this_executor();
  const tcp::endpoint loopback(boost::asio::ip::address_v4::loopback(), 0);
  tcp::acceptor acceptor(executor, loopback);
  const tcp::endpoint at = acceptor.local_endpoint();
  Fetched out;
  // Its end is an error to the client: the server says no farewell.
  std::thread client([&] { (void)run_task(read_by_tls(tls.client, at, out.bytes)); });
  Stream stream(acceptor.accept());
  char name[] = "/tmp/stream_test.XXXXXX";
  const Fd file(::mkstemp(name));
  ::unlink(name);
  out.sent = write_all(file.get(), as_bytes("behind" + text));
  if (out.sent) out.sent = co_await stream.handshake_server(tls.server);
  out.kernel_tls = stream.kernel_tls();
  if (out.sent) out.sent = co_await stream.send_file(file.get(), 6, size);
  if (out.sent) out.sent = co_await stream.write(as_bytes(std::string_view("end")));
  ::shutdown(stream.socket().native_handle(), SHUT_WR);
  client.join();
  co_return out;
}

// With HOLDFAST_KERNEL_TLS=1 in a kernel that has it: there it must be what encrypts.
TEST(Stream, AFileIsSentByTls) {
  std::string text(5'000'001, '\0');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7919 >> 8);
  const auto got = run_task(fetch_by_tls(text, text.size()));
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_TRUE(got->sent) << got->sent.error().message();
  EXPECT_TRUE(got->bytes == text + "end") << got->bytes.size();
  if (std::getenv("HOLDFAST_KERNEL_TLS") != nullptr) EXPECT_TRUE(got->kernel_tls);
}

TEST(Stream, AFileThatIsTooShortIsAnErrorByTls) {
  const auto got = run_task(fetch_by_tls("short", 6));
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_FALSE(got->sent);
}

}  // namespace
}  // namespace holdfast
