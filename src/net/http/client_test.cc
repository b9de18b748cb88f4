#include "net/http/client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "net/http/testing.h"

namespace holdfast::http {
namespace {

using namespace std::chrono_literals;

std::string numbers(size_t size) {
  std::string out;
  for (uint64_t number = 0; out.size() < size; ++number) out += std::to_string(number) + ",";
  out.resize(size);
  return out;
}

struct HttpClient : testing::Test {
  Router router;
  std::atomic<int> asked{0};
  std::atomic<bool> hold{true};
  void SetUp() override {
    router.add("GET", "/peer", Role::anonymous, [](Request& request) -> Task<Result<Response>> {
      co_return Response(200, "text/plain", request.peer);
    });
    router.add("GET", "/large/{size}", Role::anonymous,
               [](Request& request) -> Task<Result<Response>> {
                 co_return Response(200, "text/plain",
                                    numbers(parse_u64(request.param("size")).value_or(0)));
               });
    router.add("POST", "/echo", Role::anonymous, [](Request& request) -> Task<Result<Response>> {
      CO_TRY(std::string body, co_await read_all(*request.body, 1 << 20));
      co_return Response(200, "text/plain", std::move(body));
    });
    router.add("GET", "/flaky", Role::anonymous, [this](Request&) { return flaky(); });
    router.add("GET", "/never", Role::anonymous, [this](Request&) { return never(); });
  }
  Task<Result<Response>> flaky() { co_return Response(++asked < 3 ? 503 : 200, "text/plain", "x"); }
  Task<Result<Response>> never() {
    while (hold) (void)co_await sleep_for(5ms);
    co_return Response(200);
  }
};

Task<Result<std::vector<std::string>>> several(std::string url, int count) {
  Client client;
  std::vector<std::string> peers;
  for (int i = 0; i < count; ++i) {
    CO_TRY(auto answer, co_await client.fetch(ClientRequest("GET", url)));
    peers.push_back(answer.body);
  }
  co_return peers;
}

TEST_F(HttpClient, OneConnectionServesManyRequests) {
  LoopbackServer server(router);
  const auto peers = run_task(several(server.url("/peer"), 20));
  ASSERT_TRUE(peers);
  for (const auto& peer : *peers) EXPECT_EQ(peer, peers->front());
}

Task<Result<Client::Whole>> lend(std::string url, std::string_view bytes) {
  Client client;
  ClientRequest request("POST", std::move(url));
  request.body = "not this";
  request.lent = as_bytes(bytes);
  co_return co_await client.fetch(std::move(request));
}

TEST_F(HttpClient, SendsWhatItIsLent) {
  LoopbackServer server(router);
  const std::string bytes = numbers(300'000);
  const auto answer = run_task(lend(server.url("/echo"), bytes));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, bytes);
}

Task<Result<std::vector<std::string>>> in_steps(std::string base, std::vector<size_t> sizes,
                                                size_t step) {
  Client client;
  std::vector<std::string> bodies;
  std::vector<std::byte> room(step);
  for (const size_t size : sizes) {
    CO_TRY(auto answer,
           co_await client.send(ClientRequest("GET", base + "/large/" + std::to_string(size))));
    std::string body;
    for (size_t count = 1; count > 0;) {
      const auto left = answer.body->left();
      if (left != size - body.size()) co_return fail(Code::internal, "tells other bytes to come");
      CO_TRY(count, co_await answer.body->read(room));
      body += as_text(ByteView(room.data(), count));
    }
    bodies.push_back(std::move(body));
  }
  CO_TRY(auto peer, co_await client.fetch(ClientRequest("GET", base + "/peer")));
  bodies.push_back(std::move(peer.body));
  co_return bodies;
}

TEST_F(HttpClient, AnAnswerIsWholeHoweverItIsRead) {
  LoopbackServer server(router);
  const std::vector<size_t> sizes = {0, 1, 15'000, 16 << 10, 100'000, 3'000'000};
  for (const size_t step : {size_t{7'000}, size_t{16} << 10, size_t{1} << 20}) {
    const auto bodies = run_task(in_steps(server.url(), sizes, step));
    ASSERT_TRUE(bodies) << bodies.error().message();
    for (size_t i = 0; i < sizes.size(); ++i)
      EXPECT_TRUE((*bodies)[i] == numbers(sizes[i])) << sizes[i] << " by " << step;
  }
}

// A listener on a socket of the file system that answers each connection with its request's first
// line, having announced `missing` bytes more.
struct UnixEcho {
  std::atomic<size_t> missing{0};
  std::string path = "/tmp/http_client_test." + std::to_string(::getpid());
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::thread thread;
  UnixEcho() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, path.size());
    ::unlink(path.c_str());
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
    ::listen(fd, 4);
    thread = std::thread([this] {
      for (int peer; (peer = ::accept(fd, nullptr, nullptr)) >= 0; ::close(peer)) {
        char text[4096];
        const ssize_t got = ::read(peer, text, sizeof text);
        const std::string line(text, std::string_view(text, std::max<ssize_t>(got, 0)).find('\r'));
        const std::string answer =
            "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(line.size() + missing) +
            "\r\n\r\n" + line;
        if (::write(peer, answer.data(), answer.size()) < 0) continue;
      }
    });
  }
  ~UnixEcho() {
    ::shutdown(fd, SHUT_RDWR);
    thread.join();
    ::close(fd);
    ::unlink(path.c_str());
  }
};

TEST(HttpClientUnix, AnAnswerThatIsCutShortIsAnError) {
  UnixEcho echo;
  ClientOptions options;
  options.unix_socket = echo.path;
  for (const size_t missing : {1, 1'000, 1'000'000}) {
    echo.missing = missing;
    const auto answer = fetch(ClientRequest("GET", "http://docker/version"), options);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().message(), "the answer was cut short") << missing;
  }
}

TEST(HttpClientUnix, GoesToTheSocketWhateverTheHost) {
  UnixEcho echo;
  ClientOptions options;
  options.unix_socket = echo.path;
  const auto answer = fetch(ClientRequest("GET", "http://docker/version"), options);
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->body, "GET /version HTTP/1.1");
  options.unix_socket = "/tmp/no-such-socket";
  EXPECT_EQ(fetch(ClientRequest("GET", "http://docker/"), options).error().code(),
            Code::unavailable);
  options.unix_socket = std::string(200, 'x');
  EXPECT_EQ(fetch(ClientRequest("GET", "http://docker/"), options).error().code(),
            Code::invalid_argument);
}

// The server closes the kept connection meanwhile; the next request goes out on a new one.
Task<Result<bool>> across_a_close(std::string url, const Server& server) {
  Client client;
  CO_TRY(auto first, co_await client.fetch(ClientRequest("GET", url)));
  while (server.connections() > 0) {
    CO_TRY_VOID(co_await sleep_for(5ms));
  }
  CO_TRY(auto second, co_await client.fetch(ClientRequest("GET", url)));
  co_return first.body != second.body;
}

TEST_F(HttpClient, AStaleConnectionIsReplaced) {
  ServerOptions options;
  options.idle_timeout = 1s;
  LoopbackServer server(router, options);
  const auto changed = run_task(across_a_close(server.url("/peer"), server.server()));
  ASSERT_TRUE(changed) << changed.error().message();
  EXPECT_TRUE(*changed);
}

TEST_F(HttpClient, RetriesOnlyWhenAsked) {
  LoopbackServer server(router);
  ClientRequest request("GET", server.url("/flaky"));
  EXPECT_EQ(fetch(request)->status, 503u);
  request.retries = 3;
  asked = 0;
  EXPECT_EQ(fetch(request)->status, 200u);
  EXPECT_EQ(asked, 3);
}

TEST_F(HttpClient, ASilentServerIsATimeOut) {
  LoopbackServer server(router);
  ClientRequest request("GET", server.url("/never"));
  request.timeout = 100ms;
  EXPECT_EQ(fetch(request).error().code(), Code::timed_out);
  hold = false;
}

TEST_F(HttpClient, WhatCanNotBeSentIsRefused) {
  for (const char* url : {"ftp://x/", "http://", "http://user@host/", "http://h:99999/", "nonsense",
                          "http://h/a b"}) {
    EXPECT_EQ(fetch(ClientRequest("GET", url)).error().code(), Code::invalid_argument) << url;
  }
  ClientRequest request("GET", "http://127.0.0.1:1/");
  request.headers.set("X", "a\r\nInjected: b");
  EXPECT_EQ(fetch(request).error().code(), Code::invalid_argument);
  EXPECT_EQ(fetch(ClientRequest("GET", "http://127.0.0.1:1/")).error().code(), Code::unavailable);
}

}  // namespace
}  // namespace holdfast::http
