// Files that a stream with TLS sends (net/stream.h), by certificates of the authority.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cstdlib>
#include <string>
#include <thread>

#include "base/files.h"
#include "identity/authority.h"
#include "net/runtime.h"
#include "net/stream.h"
#include "store/testing.h"

namespace holdfast::identity {
namespace {

using boost::asio::ip::tcp;

// All that comes, until the end.
Task<Result<void>> read_by_tls(std::shared_ptr<TlsContext> tls, tcp::endpoint at,
                               std::string& bytes) {
  tcp::socket socket(co_await this_executor());
  socket.connect(at);
  Stream stream(std::move(socket));
  CO_TRY_VOID(co_await stream.handshake_client(std::move(tls), "127.0.0.1"));
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
  const SystemClock clock;
  const store::Folder folder;
  CO_TRY(const auto authority, Authority::open(folder.path.string(), "Test CA", clock));
  CO_TRY(const auto server_tls, authority->server_tls("here", {"here", {}, {"127.0.0.1"}}));
  CO_TRY(const auto client_tls, TlsContext::client(authority->certificate_pem()));
  const Executor executor = co_await this_executor();
  const tcp::endpoint loopback(boost::asio::ip::address_v4::loopback(), 0);
  tcp::acceptor acceptor(executor, loopback);
  const tcp::endpoint at = acceptor.local_endpoint();
  Fetched out;
  // Its end is an error to the client: the server says no farewell.
  std::thread client([&] { (void)run_task(read_by_tls(client_tls, at, out.bytes)); });
  Stream stream(acceptor.accept());
  const Fd file(::memfd_create("file", MFD_CLOEXEC));
  out.sent = write_all(file.get(), as_bytes("behind" + text));
  if (out.sent) out.sent = co_await stream.handshake_server(server_tls);
  out.kernel_tls = stream.kernel_tls();
  if (out.sent) out.sent = co_await stream.send_file(file.get(), 6, size);
  if (out.sent) out.sent = co_await stream.write(as_bytes(std::string_view("end")));
  ::shutdown(stream.socket().native_handle(), SHUT_WR);
  client.join();
  co_return out;
}

// With HOLDFAST_KERNEL_TLS=1 in a kernel that has it: there it must be what encrypts.
TEST(TlsStream, AFileIsSent) {
  std::string text(5'000'001, '\0');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7919 >> 8);
  const auto got = run_task(fetch_by_tls(text, text.size()));
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_TRUE(got->sent) << got->sent.error().message();
  EXPECT_TRUE(got->bytes == text + "end") << got->bytes.size();
  if (std::getenv("HOLDFAST_KERNEL_TLS") != nullptr) EXPECT_TRUE(got->kernel_tls);
}

TEST(TlsStream, AFileThatIsTooShortIsAnError) {
  const auto got = run_task(fetch_by_tls("short", 6));
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_FALSE(got->sent);
}

}  // namespace
}  // namespace holdfast::identity
