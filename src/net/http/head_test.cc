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

}  // namespace
}  // namespace holdfast::http
