// Requests that a route answers at once, on a connection that has others among them.
#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "net/http/testing.h"

namespace holdfast::http {
namespace {

std::string head(std::string_view target, size_t size, std::string_view more = "") {
  return "POST " + std::string(target) +
         " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) + "\r\n" +
         std::string(more) + "\r\n";
}

size_t count(std::string_view text, std::string_view part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

// /at/{how}: "once" is answered at once with its body, "late", or a body that begins so, is left to
// the coroutine, "fails" and "throws" do so at once, "large" has an answer that no socket takes at
// once.
struct AtOnceRoute : testing::Test {
  Router router;
  std::atomic<int> at_once{0}, late{0};
  void SetUp() override {
    const auto by_coroutine = [this](Request& request) { return answer_late(request); };
    const auto quick = [this](Request& request,
                              std::string_view body) -> std::optional<Result<Response>> {
      ++at_once;
      const std::string_view how = request.param("how");
      if (how == "late" || body.starts_with("late")) return std::nullopt;
      if (how == "fails") return fail(Code::conflict, "it is there already");
      if (how == "throws") throw std::runtime_error("a bug");
      if (how == "large") return Response(200, "text/plain", std::string(20 << 20, 'l'));
      return Response(200, "text/plain", "once:" + std::string(body) + ";");
    };
    router.add("*", "/at/{how}", Role::anonymous, by_coroutine, quick);
    router.add("POST", "/admin", Role::admin, by_coroutine, quick);
  }
  Task<Result<Response>> answer_late(Request& request) {
    ++late;
    CO_TRY(std::string body, co_await read_all(*request.body, 1 << 20));
    co_return Response(200, "text/plain", "late:" + body + ";");
  }
  std::string exchange(const std::string& bytes) {
    LoopbackServer server(router);
    return exchange_raw(server.server().port(), bytes, 10);
  }
};

TEST_F(AtOnceRoute, PipelinedWithOthersInOrder) {
  const std::string got =
      exchange(head("/at/once", 3) + "one" + head("/at/late", 3) + "two" + head("/at/fails", 0) +
               head("/at/throws", 5) + "three" + head("/none", 4) + "four" +
               head("/at/once", 4, "Connection: close\r\n") + "five" + head("/at/once", 0));
  size_t at = 0;
  for (const char* part : {"once:one;", "late:two;", "409 Conflict", "it is there already",
                           "500 Internal", "404 Not Found", "Connection: close", "once:five;"}) {
    at = got.find(part, at);
    ASSERT_NE(at, std::string::npos) << part << " is not where it should be in\n" << got;
  }
  EXPECT_EQ(count(got, "HTTP/1.1 "), 6u) << "nothing is answered after the end of a connection";
  EXPECT_EQ(at_once, 5);
  EXPECT_EQ(late, 1);
}

TEST_F(AtOnceRoute, ABodyThatIsNotThereYetIsForTheCoroutine) {
  LoopbackServer server(router);
  ClientRequest large("POST", server.url("/at/once"));
  large.body = std::string(300'000, 'b');
  const auto answer = fetch(std::move(large));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body.size(), 300'000u + 6);
  EXPECT_EQ(at_once, 0);
  const std::string chunked = exchange(
      "POST /at/once HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
      "3\r\none\r\n0\r\n\r\n");
  EXPECT_NE(chunked.find("late:one;"), std::string::npos) << chunked;
  const std::string expecting =
      exchange(head("/at/once", 3, "Expect: 100-continue\r\nConnection: close\r\n") + "one");
  EXPECT_NE(expecting.find("100 Continue"), std::string::npos) << expecting;
  EXPECT_NE(expecting.find("late:one;"), std::string::npos) << expecting;
  EXPECT_EQ(at_once, 0);
}

TEST_F(AtOnceRoute, AnAnswerThatTheSocketDoesNotTakeAtOnceIsWhole) {
  LoopbackServer server(router);
  for (int round = 0; round < 3; ++round) {
    const auto answer = fetch(ClientRequest("GET", server.url("/at/large")));
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->body == std::string(20 << 20, 'l'));
  }
  EXPECT_EQ(at_once, 3);
  EXPECT_EQ(late, 0);
}

TEST_F(AtOnceRoute, TheAnswerToHeadHasNoBody) {
  const std::string got = exchange(
      "HEAD /at/once HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /at/once HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(count(got, "once:;"), 1u) << got;
  EXPECT_EQ(count(got, "Content-Length: 6"), 2u) << got;
  EXPECT_EQ(late, 0);
}

TEST_F(AtOnceRoute, AHeadThatComesAgainIsTheNextRequestOfItsOwn) {
  const std::string again = head("/at/once", 5);
  std::string bytes, expected;
  for (int i = 10'000; i < 13'000; ++i) {  // many reads' worth, so that some heads come in pieces
    const std::string body = i % 7 == 0 ? "late" + std::to_string(i % 10) : std::to_string(i);
    bytes += again + body;
    expected += (i % 7 == 0 ? "late:" : "once:") + body + ";";
  }
  bytes += head("/at/once", 3, "Connection: close\r\n") + "end";
  const std::string got = exchange(bytes);
  std::string bodies;
  for (size_t at = got.find("\r\n\r\n"); at != std::string::npos; at = got.find("\r\n\r\n", at)) {
    at += 4;
    bodies += got.substr(at, got.find(';', at) + 1 - at);
  }
  EXPECT_EQ(bodies, expected + "once:end;");
  EXPECT_EQ(late, 429);
}

TEST(AtOnceAuthenticator, IsAskedForEachRequestAlthoughTheirHeadsAreTheSame) {
  int asked = 0;
  Router router(json_error, [&asked](const Request&) -> Result<Principal> {
    if (++asked == 3) return fail(Code::unauthenticated, "the token has expired");
    return Principal{.name = "ann", .role = "admin"};
  });
  std::vector<std::string> ids;
  router.add(
      "POST", "/own", Role::admin,
      [](Request&) -> Task<Result<Response>> { co_return fail(Code::internal, "not at once"); },
      [&ids](Request& request, std::string_view body) -> std::optional<Result<Response>> {
        ids.push_back(request.id);
        return Response(200, "text/plain", request.principal.name + ":" + std::string(body) + ";");
      });
  LoopbackServer server(router);
  const std::string again = head("/own", 3);
  const std::string got = exchange_raw(server.server().port(),
                                       again + "one" + again + "two" + again + "bad" + again +
                                           "fou" + head("/own", 3, "Connection: close\r\n") + "end",
                                       10);
  size_t at = 0;
  for (const char* part : {"ann:one;", "ann:two;", "401 Unauthorized", "has expired", "ann:end;"}) {
    at = got.find(part, at);
    ASSERT_NE(at, std::string::npos) << part << " is not where it should be in\n" << got;
  }
  EXPECT_EQ(got.find("bad"), std::string::npos) << got;
  EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), ids.size()) << "each has an identity";
}

TEST_F(AtOnceRoute, NobodyIsLetPastTheRoleOfItsRoute) {
  const std::string got = exchange(head("/admin", 3, "Connection: close\r\n") + "one");
  EXPECT_NE(got.find("401 Unauthorized"), std::string::npos) << got;
  EXPECT_EQ(at_once + late, 0);
}

}  // namespace
}  // namespace holdfast::http
