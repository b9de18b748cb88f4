#include "blob/sources.h"

#include <gtest/gtest.h>

#include <atomic>

#include "blob/testing.h"
#include "net/http/testing.h"

namespace holdfast::blob {
namespace {

using namespace std::chrono_literals;

// Gives one byte at a time, at a pace.
class Drip final : public ByteSource {
 public:
  Drip(uint64_t size, std::chrono::milliseconds pause) : left_(size), pause_(pause) {}
  Task<Result<size_t>> read(std::span<std::byte> into) override {
    if (left_ == 0) co_return size_t{0};
    CO_TRY_VOID(co_await sleep_for(pause_));
    --left_;
    into[0] = std::byte{'x'};
    co_return size_t{1};
  }

 private:
  uint64_t left_;
  std::chrono::milliseconds pause_;
};

struct CopySources : testing::Test {
  http::Router router;
  std::atomic<int> asked{0};
  http::Headers seen;

  void SetUp() override {
    const auto add = [this](const char* path,
                            std::function<http::Response(http::Request&)> answer) {
      router.add("GET", path, http::Role::anonymous, [this, answer](http::Request& request) {
        ++asked;
        seen = request.headers;
        return answered(answer(request));
      });
    };
    add("/data", [](http::Request&) {
      http::Response response(200, "text/x", "0123456789");
      response.header("ETag", "\"abc\"").header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
      return response;
    });
    add("/range", [](http::Request&) {
      http::Response response(206, "text/x", "234");
      response.header("Content-Range", "bytes 2-4/10");
      return response;
    });
    add("/chunked", [](http::Request&) {
      http::Response response(200);
      response.body = http::StreamBody{std::make_unique<MemorySource>("endless"), std::nullopt};
      return response;
    });
    add("/drip", [](http::Request&) {
      http::Response response(200);
      response.body = http::StreamBody{std::make_unique<Drip>(1000, 10ms), 1000};
      return response;
    });
    add("/short", [](http::Request&) {
      http::Response response(200);
      response.body = http::StreamBody{std::make_unique<MemorySource>("abc"), 10};
      return response;
    });
    add("/moved", [](http::Request&) { return http::Response(302).header("Location", "/data"); });
    for (const unsigned status : {304u, 401u, 403u, 404u, 412u, 416u, 429u, 500u, 503u, 204u, 400u})
      add(("/" + std::to_string(status)).c_str(),
          [status](http::Request&) { return http::Response(status); });
  }

  static Task<Result<http::Response>> answered(http::Response response) { co_return response; }

  // The reason, or the bytes.
  std::string fetch(http::LoopbackServer& server, std::string path, SourceRequest wanted = {},
                    std::vector<std::string> list = {"127.0.0.1"}) {
    wanted.url = path.starts_with("http") ? path : server.url(path);
    SourceLimits limits;
    limits.silence = 200ms;
    limits.slowest = 10'000;
    return run_task(read_once(*SourceList::parse(list), limits, std::move(wanted)));
  }
  static Task<std::string> read_once(SourceList list, SourceLimits limits, SourceRequest wanted) {
    Sources sources(std::move(list), limits);
    auto source = co_await sources.open(std::move(wanted));
    if (!source) co_return reason_of(source);
    auto bytes = co_await read_all(*source->body, 1 << 20);
    co_return bytes ? *bytes : reason_of(bytes);
  }
  static SourceRequest with(std::string name, std::string value) {
    SourceRequest wanted;
    wanted.headers.set(name, std::move(value));
    return wanted;
  }
  static SourceRequest range(uint64_t first, uint64_t last) {
    SourceRequest wanted;
    wanted.range = Range{first, last};
    return wanted;
  }
};

TEST_F(CopySources, AreReadAsFarAsTheListGoes) {
  http::LoopbackServer server(router);
  EXPECT_EQ(fetch(server, "/data", with("Authorization", "Bearer x")), "0123456789");
  EXPECT_EQ(seen.get_or("Authorization", ""), "Bearer x");
  const int before = asked;
  const std::string port = server.server().address().substr(server.server().address().rfind(':'));
  for (const std::vector<std::string>& list :
       {std::vector<std::string>{}, {"10.0.0.0/8"}, {"localhost"}, {"127.0.0.1:1"}, {"::1"}}) {
    EXPECT_EQ(fetch(server, "/data", {}, list), "source_denied");
    EXPECT_EQ(fetch(server, "http://localhost" + port + "/data", {}, list), "source_denied");
  }
  EXPECT_EQ(asked, before);
  EXPECT_EQ(fetch(server, "http://localhost" + port + "/data"), "0123456789");
}

TEST_F(CopySources, AnswersThatMakeNoSenseAreRefused) {
  http::LoopbackServer server(router);
  const int before = asked;
  EXPECT_EQ(fetch(server, "/moved"), "source_unusable");
  EXPECT_EQ(asked, before + 1);  // nothing is followed
  for (const auto& [path, reason] :
       {std::pair("/chunked", "source_unusable"), std::pair("/range", "source_unusable"),
        std::pair("/204", "source_unusable"), std::pair("/400", "source_unusable"),
        std::pair("/401", "source_denied"), std::pair("/403", "source_denied"),
        std::pair("/404", "copy_source_not_found"), std::pair("/416", "invalid_range"),
        std::pair("/304", "source_condition_not_met"),
        std::pair("/412", "source_condition_not_met"), std::pair("/429", "source_unavailable"),
        std::pair("/500", "source_unavailable"), std::pair("/503", "source_unavailable"),
        std::pair("/short", "source_unavailable"), std::pair("/drip", "source_unavailable")})
    EXPECT_EQ(fetch(server, path), reason) << path;
  EXPECT_EQ(fetch(server, "http://127.0.0.1:1/"), "source_unavailable");
  for (const char* bad : {"http://", "http://user@127.0.0.1/", "http://127.0.0.1:x/"})
    EXPECT_EQ(fetch(server, bad), "invalid_header") << bad;
}

TEST_F(CopySources, RangesMustBeWhatWasAskedFor) {
  http::LoopbackServer server(router);
  EXPECT_EQ(fetch(server, "/range", range(2, 4)), "234");
  EXPECT_EQ(seen.get_or("Range", ""), "bytes=2-4");
  EXPECT_EQ(fetch(server, "/range", range(2, UINT64_MAX)), "234");
  EXPECT_EQ(fetch(server, "/range", range(1, 4)), "source_unusable");
  EXPECT_EQ(fetch(server, "/range", range(2, 3)), "source_unusable");
  EXPECT_EQ(fetch(server, "/data", range(2, 4)), "source_unusable");
  SourceRequest either = range(2, 4);
  either.or_whole = true;
  EXPECT_EQ(fetch(server, "/range", either), "234");
  EXPECT_EQ(fetch(server, "/data", either), "0123456789");
}

TEST_F(CopySources, ConditionsHoldEvenWhereTheSourceIgnoresThem) {
  http::LoopbackServer server(router);
  const std::string good = "0123456789", bad = "source_condition_not_met";
  for (const auto& [name, value, outcome] :
       {std::tuple("If-Match", "\"abc\"", good), std::tuple("If-Match", "abc", good),
        std::tuple("If-Match", "*", good), std::tuple("If-Match", "\"ab\"", bad),
        std::tuple("If-None-Match", "\"abc\"", bad), std::tuple("If-None-Match", "\"x\"", good),
        std::tuple("If-Modified-Since", "Sun, 06 Nov 1994 08:49:36 GMT", good),
        std::tuple("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT", bad),
        std::tuple("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:36 GMT", bad),
        std::tuple("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT", good)})
    EXPECT_EQ(fetch(server, "/data", with(name, value)), outcome) << name << " " << value;
  EXPECT_EQ(fetch(server, "/range",
                  [] {
                    SourceRequest wanted = range(2, 4);
                    wanted.headers.set("If-Match", "\"abc\"");  // the answer has no ETag
                    return wanted;
                  }()),
            bad);
}

}  // namespace
}  // namespace holdfast::blob
