#include "blob/http/cors.h"

#include <gtest/gtest.h>

#include "blob/http/testing.h"

namespace holdfast::blob {
namespace {

std::string rule(std::string_view origins, std::string_view methods = "GET",
                 std::string_view allowed = "", std::string_view exposed = "",
                 std::string_view age = "60") {
  std::string out = "<CorsRule>";
  const std::pair<const char*, std::string_view> parts[] = {{"AllowedOrigins", origins},
                                                            {"AllowedMethods", methods},
                                                            {"AllowedHeaders", allowed},
                                                            {"ExposedHeaders", exposed},
                                                            {"MaxAgeInSeconds", age}};
  for (const auto& [name, value] : parts)
    out += "<" + std::string(name) + ">" + std::string(value) + "</" + name + ">";
  return out + "</CorsRule>";
}

std::string document(const std::string& rules) {
  return "<StorageServiceProperties><Cors>" + rules + "</Cors></StorageServiceProperties>";
}

TEST(Cors, RulesAreChecked) {
  EXPECT_TRUE(check_cors(document("")));
  EXPECT_TRUE(check_cors(document(rule("http://a,https://*.b", "GET,PUT", "x-ms-*", "*", "0"))));
  std::string six, names;
  for (int i = 0; i < 6; ++i) six += rule("*");
  for (int i = 0; i < 65; ++i) names += "n" + std::to_string(i) + ",";
  const std::string long_name(257, 'x');
  for (const std::string& rules :
       {six, rule(""), rule("*", ""), rule("*", "get"), rule("*", "GET", "", "", ""),
        rule("*", "GET", "", "", "-1"), rule(names), rule(long_name), rule("*", "GET", names),
        rule("*", "GET", "a*,b*,c*"), rule("*", "GET", "", "a*,b*,c*"),
        rule("*", "GET", long_name)}) {
    const auto checked = check_cors(document(rules));
    ASSERT_FALSE(checked) << rules;
    EXPECT_EQ(checked.error().reason(), "invalid_xml");
  }
}

TEST(Cors, APreflightIsAnsweredByTheFirstRuleThatFits) {
  const std::string rules = document(rule("https://app.example.com", "GET,PUT", "x-ms-*,If-Match") +
                                     rule("https://*.example.org", "DELETE", "", "", "5"));
  const auto ask = [&](const char* origin, const char* method, const char* headers) {
    return preflight(rules, make_request("OPTIONS", "/a/c/b",
                                         {{"Origin", origin},
                                          {"Access-Control-Request-Method", method},
                                          {"Access-Control-Request-Headers", headers}}));
  };
  const auto good = ask("https://app.example.com", "PUT", "X-Ms-Date, if-match");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->status, 200u);
  EXPECT_EQ(good->headers.get("Access-Control-Allow-Origin"), "https://app.example.com");
  EXPECT_EQ(good->headers.get("Access-Control-Max-Age"), "60");
  EXPECT_EQ(good->headers.get("Access-Control-Allow-Headers"), "X-Ms-Date, if-match");
  const auto wild = ask("https://x.example.org", "DELETE", "");
  ASSERT_TRUE(wild);
  EXPECT_EQ(wild->headers.get("Access-Control-Max-Age"), "5");
  for (const auto& [origin, method, headers] :
       {std::tuple("https://app.example.com", "DELETE", ""),
        std::tuple("https://app.example.com", "PUT", "Content-Type"),
        std::tuple("http://app.example.com", "PUT", ""),
        std::tuple("https://.example.org", "DELETE", ""),
        std::tuple("https://evil-example.org", "DELETE", "")}) {
    const auto bad = ask(origin, method, headers);
    ASSERT_FALSE(bad) << origin << method << headers;
    EXPECT_EQ(bad.error().reason(), "cors_preflight");
  }
  EXPECT_EQ(preflight(rules, make_request("OPTIONS", "/a")).error().reason(), "missing_header");
}

TEST(Cors, AnAnswerTellsWhatThePageMaySee) {
  const http::Request request = make_request("GET", "/a/c/b", {{"Origin", "http://a"}});
  http::Response response(200);
  response.header("x-ms-meta-one", "1").header("ETag", "\"0x1\"").header("Server", "s");
  add_cors(document(rule("*", "GET", "", "x-ms-meta*,etag")), request, response);
  EXPECT_EQ(response.headers.get("Access-Control-Allow-Origin"), "*");
  EXPECT_FALSE(response.headers.get("Access-Control-Allow-Credentials"));
  EXPECT_EQ(response.headers.get("Access-Control-Expose-Headers"), "x-ms-meta-one,ETag");
  http::Response other(200);
  add_cors(document(rule("http://b")), request, other);
  EXPECT_FALSE(other.headers.get("Access-Control-Allow-Origin"));
  EXPECT_EQ(other.headers.get("Vary"), "Origin");
}

}  // namespace
}  // namespace holdfast::blob
