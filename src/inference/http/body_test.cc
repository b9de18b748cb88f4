#include "inference/http/body.h"

#include <gtest/gtest.h>

#include "inference/http/content_coding.h"
#include "net/runtime.h"

namespace holdfast::inference {
namespace {

TEST(BodyMemory, IsSharedAndGivenBack) {
  BodyMemory memory(100);
  BodyShare first(memory);
  EXPECT_TRUE(first.grow(60));
  {
    BodyShare second(memory);
    EXPECT_TRUE(second.grow(40));
    EXPECT_EQ(second.grow(1).error().code(), Code::unavailable);
    const BodyShare moved = std::move(second);
    EXPECT_EQ(memory.used(), 101u);
  }
  EXPECT_EQ(memory.used(), 60u);
  {
    BodyShare large(memory);
    EXPECT_EQ(large.grow(101).error().code(), Code::too_large);
  }
  EXPECT_EQ(memory.used(), 60u);
  EXPECT_TRUE(first.grow(40));
}

http::Request request_of(std::string body, const char* coding = nullptr) {
  http::Request request;
  request.body = std::make_unique<MemorySource>(std::move(body));
  if (coding != nullptr) request.headers.set("Content-Encoding", coding);
  return request;
}

// Null: `error` says why.
Task<std::shared_ptr<Body>> read_into(http::Request& request, BodyMemory& memory, Code& error,
                                      uint64_t json_size = 0) {
  auto body = co_await read_body(request, memory, json_size);
  if (!body) error = body.error().code();
  co_return body ? std::make_shared<Body>(std::move(*body)) : nullptr;
}

TEST(BodyMemory, CountsABodyAsItIsReadAndUnpacked) {
  BodyMemory memory(10'000);
  const std::string text(9'000, 'x'), packed = *compress("gzip", text, {});
  Code error{};
  const auto read = [&](http::Request request) {
    return run_task(read_into(request, memory, error));
  };
  {
    const auto body = read(request_of(text));
    ASSERT_TRUE(body);
    EXPECT_EQ(body->bytes, text);
    EXPECT_EQ(memory.used(), 9'000u);
    EXPECT_FALSE(read(request_of(text)));
    EXPECT_EQ(error, Code::unavailable);
    EXPECT_EQ(memory.used(), 9'000u);
    EXPECT_FALSE(read(request_of(packed, "gzip")));
    EXPECT_EQ(error, Code::unavailable);
  }
  const auto body = read(request_of(packed, "gzip"));
  ASSERT_TRUE(body);
  EXPECT_EQ(body->bytes, text);
  EXPECT_EQ(memory.used(), 9'000u);
}

TEST(ReadBody, PutsTensorsBehindTheirHeaderWhereAnEngineCanReadThem) {
  BodyMemory memory;
  const std::string text(10'000, 'x');
  Code error{};
  for (uint64_t json_size = 0; json_size < 40; ++json_size) {
    http::Request request = request_of(text);
    const auto body = run_task(read_into(request, memory, error, json_size));
    ASSERT_TRUE(body);
    EXPECT_EQ(body->text(), text);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(body->text().data() + json_size) % 16, 0u) << json_size;
  }
}

}  // namespace
}  // namespace holdfast::inference
