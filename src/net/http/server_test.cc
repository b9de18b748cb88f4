#include "net/http/server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>

#include "net/http/testing.h"

namespace holdfast::http {
namespace {

using namespace std::chrono_literals;

Task<Result<Response>> echo(Request& request) {
  CO_TRY(std::string body, co_await read_all(*request.body, 1 << 30));
  co_return Response(200, "application/octet-stream", std::move(body));
}

Task<Result<Response>> ignore_body(Request&) {
  co_return Response(200, "text/plain", "ignored");
}

Task<Result<Response>> stream_back(Request& request) {
  Response response(200);
  StreamBody body;
  body.source = std::make_unique<MemorySource>(std::string(200'000, 'x'));
  if (request.query_value("sized")) body.size = 200'000;
  response.body = std::move(body);
  co_return response;
}

Task<Result<Response>> throws(Request&) {
  throw std::runtime_error("a bug");
  co_return Response(200);
}

std::shared_ptr<Fd> file_of(size_t size) {
  char name[] = "/tmp/server_test.XXXXXX";
  auto fd = std::make_shared<Fd>(::mkstemp(name));
  ::unlink(name);
  std::string text(size, 'f');
  EXPECT_TRUE(write_all(fd->get(), as_bytes(text)));
  return fd;
}

struct HttpServer : testing::Test {
  Router router;
  std::atomic<bool> entered{false}, release{false};
  void SetUp() override {
    router.add("POST", "/echo", Role::anonymous, echo);
    router.add("POST", "/ignore", Role::anonymous, ignore_body);
    router.add("GET", "/stream", Role::anonymous, stream_back);
    router.add("GET", "/throws", Role::anonymous, throws);
    router.add("GET", "/file/{size}", Role::anonymous,
               [](Request& request) -> Task<Result<Response>> {
                 const uint64_t size = *parse_u64(request.param("size"));
                 Response response(200);
                 response.body = FileRange{file_of(size), 0, size};
                 co_return response;
               });
    router.add("GET", "/slow", Role::anonymous, [this](Request&) { return slow(); });
    router.add("GET", "/tail/{size}", Role::anonymous, tail);
  }
  Task<Result<Response>> slow() {
    entered = true;
    while (!release) (void)co_await sleep_for(5ms);
    co_return Response(200, "text/plain", "slow");
  }
  static Task<Result<Response>> tail(Request& request) {
    Response response(200, "text/plain", "text and ");
    response.tail.assign(*parse_u64(request.param("size")), std::byte('t'));
    co_return response;
  }
  static ClientRequest post(std::string url, std::string body) {
    ClientRequest request("POST", std::move(url));
    request.body = std::move(body);
    return request;
  }
};

TEST_F(HttpServer, ATailFollowsTheText) {
  LoopbackServer server(router);
  for (const size_t size : {0u, 1u, 70'000u, 20'000'000u}) {
    const std::string url = server.url("/tail/" + std::to_string(size));
    const auto answer = fetch(ClientRequest("GET", url));
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->body, "text and " + std::string(size, 't'));
    const auto head = fetch(ClientRequest("HEAD", url));
    ASSERT_TRUE(head) << head.error().message();
    EXPECT_EQ(head->body, "");
    EXPECT_EQ(head->headers.get_or("Content-Length", ""), std::to_string(size + 9));
  }
}

TEST_F(HttpServer, EchoesBodiesOfManySizes) {
  LoopbackServer server(router);
  for (size_t size : {0u, 1u, 16383u, 16384u, 16385u, 300'000u, 5'000'000u}) {
    auto answer = fetch(post(server.url("/echo"), std::string(size, 'b')));
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->status, 200u);
    EXPECT_EQ(answer->body.size(), size);
  }
}

TEST_F(HttpServer, PipelinedRequestsAreAnsweredInOrder) {
  LoopbackServer server(router);
  const std::string got =
      exchange_raw(server.server().port(),
                   "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
                   "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                   "chunked\r\n\r\n2\r\nt\x77\r\n1\r\no\r\n0\r\n\r\n"
                   "GET /stream?sized=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const size_t one = got.find("one"), two = got.find("two");
  ASSERT_NE(one, std::string::npos);
  ASSERT_NE(two, std::string::npos);
  EXPECT_LT(one, two);
  EXPECT_TRUE(got.ends_with(std::string(1000, 'x')));
}

TEST_F(HttpServer, StreamsSizedAndChunked) {
  LoopbackServer server(router);
  for (const char* target : {"/stream", "/stream?sized=1"}) {
    auto answer = fetch(ClientRequest("GET", server.url(target)));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, std::string(200'000, 'x'));
  }
}

TEST_F(HttpServer, SendsFilesOfEverySize) {
  LoopbackServer server(router);
  for (size_t size : {1u, 16384u, 16385u, 3'000'000u}) {
    auto answer = fetch(ClientRequest("GET", server.url("/file/" + std::to_string(size))));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, std::string(size, 'f'));
    auto head = fetch(ClientRequest("HEAD", server.url("/file/" + std::to_string(size))));
    ASSERT_TRUE(head);
    EXPECT_EQ(head->headers.get("Content-Length"), std::to_string(size));
    EXPECT_TRUE(head->body.empty());
  }
}

TEST_F(HttpServer, ExpectContinueComesOnlyWhenTheBodyIsRead) {
  LoopbackServer server(router);
  const std::string head =
      "Host: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n";
  const std::string read =
      exchange_raw(server.server().port(), "POST /echo HTTP/1.1\r\n" + head + "hi");
  EXPECT_TRUE(read.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")) << read;
  const std::string ignored =
      exchange_raw(server.server().port(), "POST /ignore HTTP/1.1\r\n" + head);
  EXPECT_TRUE(ignored.starts_with("HTTP/1.1 200 OK")) << ignored;
}

TEST_F(HttpServer, AnUnreadBodyDoesNotDisturbTheNextRequest) {
  LoopbackServer server(router);
  const std::string got = exchange_raw(
      server.server().port(),
      "POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n" +
          std::string(20000, 'G') +
          "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlast");
  EXPECT_TRUE(got.ends_with("last")) << got;
}

TEST_F(HttpServer, ALongBodyEndsWhereTheNextRequestBegins) {
  LoopbackServer server(router);
  std::string body(300'000, '\0');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i / 7 % 26);
  const std::string got = exchange_raw(
      server.server().port(),
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + body +
          "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlast");
  EXPECT_NE(got.find("\r\n\r\n" + body + "HTTP/1.1 200"), std::string::npos);
  EXPECT_TRUE(got.ends_with("last"));
}

TEST_F(HttpServer, LimitsHaveTheirStatus) {
  ServerOptions options;
  options.max_header_bytes = 1024;
  options.max_body_bytes = 100;
  LoopbackServer server(router, options);
  const uint16_t port = server.server().port();
  EXPECT_NE(exchange_raw(port, "GET / HTTP/1.1\r\nX: " + std::string(3000, 'x') + "\r\n\r\n")
                .find(" 431 "),
            std::string::npos);
  EXPECT_NE(exchange_raw(port, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n")
                .find(" 413 "),
            std::string::npos);
  EXPECT_NE(exchange_raw(
                port, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" +
                          std::string(255, 'a') + "\r\n0\r\n\r\n")
                .find(" 413 "),
            std::string::npos);
}

// A peer that sends all before it reads still gets its answer: the connection is not reset by what
// is left unread.
TEST_F(HttpServer, ARefusedBodyDoesNotCostTheAnswer) {
  ServerOptions options;
  options.max_body_bytes = 100;
  LoopbackServer server(router, options);
  const std::string body(8 << 20, 'x');
  const std::string head =
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n\r\n";
  for (int i = 0; i < 10; ++i) {
    const std::string answer = exchange_raw(server.server().port(), head + body);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer.size();
  }
}

TEST_F(HttpServer, APathMayHaveALimitOfItsOwn) {
  const auto own = [](const Error& error, const Request&) {
    return Response(418, "text/plain", "own: " + error.message());
  };
  router.add("POST", "/large/{rest...}", Role::anonymous, own, [](Request& request) {
    return [](Request& r) -> Task<Result<Response>> {
      CO_TRY(const std::string body, co_await read_all(*r.body, 1000));
      co_return Response(200, "text/plain", std::to_string(body.size()));
    }(request);
  });
  router.limit_bodies("/large", 300);
  ServerOptions options;
  options.max_body_bytes = 100;
  LoopbackServer server(router, options);
  const auto post = [&](const std::string& path, size_t size) {
    return exchange_raw(server.server().port(), "POST " + path +
                                                    " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                                    "Content-Length: " +
                                                    std::to_string(size) + "\r\n\r\n" +
                                                    std::string(size, 'a'));
  };
  const auto post_chunked = [&](const std::string& path) {
    return exchange_raw(server.server().port(), "POST " + path +
                                                    " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                                    "Transfer-Encoding: chunked\r\n\r\nff\r\n" +
                                                    std::string(255, 'a') + "\r\nff\r\n" +
                                                    std::string(255, 'a') + "\r\n0\r\n\r\n");
  };
  EXPECT_TRUE(post("/large/x", 300).ends_with("300"));
  EXPECT_TRUE(post("/large/x", 301).starts_with("HTTP/1.1 413 "));
  EXPECT_NE(post("/large/x", 301).find("own: the body is larger"), std::string::npos);
  EXPECT_NE(post_chunked("/large/x").find("own: the body is larger"), std::string::npos);
  EXPECT_TRUE(post("/largest", 101).starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(post("/echo", 101).starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(post("/echo", 100).starts_with("HTTP/1.1 200 "));
}

TEST_F(HttpServer, NonsenseIsAnsweredWith400) {
  LoopbackServer server(router);
  for (const char* bad :
       {"HELLO\r\n\r\n", "GET / HTTP/3.7\r\n\r\n", "GET /%zz?a=%z HTTP/1.1\r\n\r\n",
        "GET nopath HTTP/1.1\r\n\r\n", "POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "\r\n\r\n\r\n: :\r\n\r\n"}) {
    EXPECT_NE(exchange_raw(server.server().port(), bad).find(" 400 "), std::string::npos) << bad;
  }
}

TEST_F(HttpServer, SlowHeadsAndIdleConnectionsEnd) {
  ServerOptions options;
  options.header_timeout = 1s;
  options.idle_timeout = 1s;
  LoopbackServer server(router, options);
  EXPECT_EQ(exchange_raw(server.server().port(), "GET / HT").find(" 200 "), std::string::npos);
  EXPECT_EQ(exchange_raw(server.server().port(), ""), "");
}

TEST_F(HttpServer, SlowBodiesEndByTheirDeadline) {
  ServerOptions options;
  options.body_timeout = 1s;
  LoopbackServer server(router, options);
  const auto began = std::chrono::steady_clock::now();
  const std::string got = exchange_raw(
      server.server().port(), "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
  EXPECT_FALSE(got.starts_with("HTTP/1.1 200")) << got;
  EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);
  EXPECT_EQ(fetch(post(server.url("/echo"), "whole"))->body, "whole");
}

TEST_F(HttpServer, AResetInABodyEndsTheConnection) {
  LoopbackServer server(router);
  for (int i = 0; i < 100; ++i) {
    send_and_reset(server.server().port(),
                   i % 2 == 0
                       ? "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf"
                       : "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf");
  }
  const auto deadline = std::chrono::steady_clock::now() + 20s;  // well below that of a body
  while (server.server().connections() > 0 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(10ms);
  EXPECT_EQ(server.server().connections(), 0U);
}

TEST_F(HttpServer, ABugInAHandlerIs500AndTheConnectionGoesOn) {
  LoopbackServer server(router);
  EXPECT_EQ(fetch(ClientRequest("GET", server.url("/throws")))->status, 500u);
  EXPECT_EQ(fetch(ClientRequest("GET", server.url("/stream")))->status, 200u);
}

TEST_F(HttpServer, TooManyConnectionsAreRefusedWith503) {
  ServerOptions options;
  options.max_connections = 0;
  LoopbackServer server(router, options);
  EXPECT_NE(exchange_raw(server.server().port(), "GET /stream HTTP/1.1\r\n\r\n").find(" 503 "),
            std::string::npos);
}

TEST_F(HttpServer, AGracefulStopLetsARequestEnd) {
  Runtime runtime(1);
  auto server = Server::start(runtime, ServerOptions(), router);
  ASSERT_TRUE(server);
  runtime.start();
  std::string got;
  std::thread client(
      [&] { got = exchange_raw((*server)->port(), "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"); });
  while (!entered) std::this_thread::yield();
  std::thread stopper([&] { run_task((*server)->stop(60s)); });
  release = true;
  stopper.join();
  client.join();
  EXPECT_TRUE(got.ends_with("slow")) << got;
}

TEST_F(HttpServer, APortInUseIsAConflictThatNamesTheProgram) {
  LoopbackServer first(router);
  Runtime runtime(2);
  ServerOptions options;
  options.name = "blob";
  options.address = first.server().address();
  auto second = Server::start(runtime, options, router);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::conflict);
  EXPECT_NE(second.error().message().find("net_test"), std::string::npos)
      << second.error().message();
}

}  // namespace
}  // namespace holdfast::http
