#include "net/http/head.h"

#include <gtest/gtest.h>

namespace holdfast::http {
namespace {

using Query = std::vector<std::pair<std::string, std::string>>;

TEST(RequestTarget, QueriesAreDecodedAsClientsEncodeThem) {
  Request request;
  request.target = "/a%20b+c?prefix=d%2F%C3%BC+x%2B%25%2F&sig=a%2Bb%3D&flag&empty=";
  ASSERT_TRUE(split_target(request));
  EXPECT_EQ(request.path, "/a%20b+c");  // a '+' in a path is a plus
  EXPECT_EQ(request.query,
            (Query{{"prefix", "d/ü x+%/"}, {"sig", "a+b="}, {"flag", ""}, {"empty", ""}}));
}

TEST(RequestTarget, BrokenEscapesAreRefused) {
  for (const char* target : {"/a?x=%", "/a?%zz=1", "/a?x=%2", "a"}) {
    Request request;
    request.target = target;
    EXPECT_FALSE(split_target(request)) << target;
  }
}

TEST(ResponseHead, AHeaderOfSeveralLinesIsLeftOut) {
  Response response(200, "text/plain", "");
  response.header("x-good", "1").header("x-bad", "a\r\nSet-Cookie: b").header("x-last", "2");
  for (const char* bad : {"a\nb", "a\rb"}) response.headers.add("x-bad", bad);
  const std::string head = response_head(response, 0, false, true);
  EXPECT_NE(head.find("\r\nx-good: 1\r\nx-last: 2\r\nContent-Length: 0\r\n\r\n"), std::string::npos)
      << head;
  EXPECT_EQ(head.find("x-bad"), std::string::npos) << head;
}

TEST(Headers, WhatIsAddedMayBeAPartOfWhatIsThere) {
  Headers headers;
  headers.add("first", std::string(400, 'v'));
  for (int i = 0; i < 20; ++i) headers.add("next", *headers.get("FIRST"));
  size_t same = 0;
  for (const auto& [name, value] : headers) same += value == std::string(400, 'v');
  EXPECT_EQ(same, 21u);
  headers.set("Next", "one");
  EXPECT_EQ(headers.get_or("next", ""), "one");
  headers.erase("first");
  EXPECT_FALSE(headers.get("first"));
  EXPECT_FALSE(headers.empty());
}

}  // namespace
}  // namespace holdfast::http
