#include "blob/http/endpoint.h"

#include <gtest/gtest.h>

#include "blob/http/testing.h"

namespace holdfast::blob {
namespace {

http::Request from(std::string peer, const HeaderList& headers, std::string_view target = "/a/c") {
  http::Request request = make_request("GET", target, headers);
  request.peer = std::move(peer);
  return request;
}

TEST(BlobEndpoint, UrlsAndProxiesAreChecked) {
  for (const char* url : {"files.example.com", "ftp://a/b", "https://", "https://a/b?c",
                          "https://site1.blob.example.com", "https://u@h/"})
    EXPECT_FALSE(Endpoint::make(url, {})) << url;
  EXPECT_FALSE(Endpoint::make("", {"proxy.example.com"}));
  EXPECT_FALSE(Endpoint::make("", {"10.0.0.0/33"}));
  const auto made = Endpoint::make("https://Files.example.com:8443/store/x/", {});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->url(), "https://Files.example.com:8443/store/x");
  EXPECT_EQ(made->path(), "/store/x");
  EXPECT_TRUE(made->is_at("files.example.com:8443"));
  EXPECT_FALSE(made->is_at("files.example.com"));
  EXPECT_EQ(Endpoint::make("https://h/", {})->path(), "");
  EXPECT_FALSE(Endpoint().is_at(""));
}

TEST(BlobEndpoint, ItsPathIsTakenOffOnce) {
  const Endpoint endpoint = *Endpoint::make("https://h/store", {});
  for (const auto& [sent, left] :
       {std::pair("/store/a/c", "/a/c"), std::pair("/store/store/c", "/store/c"),
        std::pair("/a/store/c", "/a/store/c"), std::pair("/stores/a", "/stores/a"),
        std::pair("/store", "/store")}) {
    http::Request request = from("127.0.0.1:1", {}, sent);
    endpoint.arrive(request);
    EXPECT_EQ(request.path, left) << sent;
  }
}

TEST(BlobEndpoint, OnlyListedProxiesAreBelieved) {
  const Endpoint endpoint = *Endpoint::make("", {"127.0.0.1", "10.1.0.0/16", "::1"});
  const auto seen = [&](std::string peer, const HeaderList& headers) {
    http::Request request = from(std::move(peer), headers);
    endpoint.arrive(request);
    return request.peer + (request.tls ? " tls" : "");
  };
  const std::pair<std::string, std::string> tls = {"X-Forwarded-Proto", "https"};
  const auto via = [&](std::string hops) {
    return HeaderList{{"X-Forwarded-For", std::move(hops)}, tls};
  };
  EXPECT_EQ(seen("192.0.2.7:5", via("203.0.113.9")), "192.0.2.7:5");
  EXPECT_EQ(seen("127.0.0.1:5", {}), "127.0.0.1:5");
  EXPECT_EQ(seen("127.0.0.1:5", {tls}), "127.0.0.1:5 tls");
  EXPECT_EQ(seen("::1:5", via("203.0.113.9")), "203.0.113.9:0 tls");
  EXPECT_EQ(seen("127.0.0.1:5", via("203.0.113.9:4711")), "203.0.113.9:0 tls");
  EXPECT_EQ(seen("127.0.0.1:5", via("[2001:db8::7]:1, 10.1.2.3")), "2001:db8::7:0 tls");
  // What the client itself wrote stands before what the first proxy saw.
  EXPECT_EQ(seen("127.0.0.1:5", via("198.51.100.1, 203.0.113.9, 10.1.2.3")), "203.0.113.9:0 tls");
  EXPECT_EQ(seen("127.0.0.1:5", via("unknown")), "unknown:0 tls");
  EXPECT_EQ(seen("127.0.0.1:5", {{"X-Forwarded-Proto", "https, http"}}), "127.0.0.1:5");
}

}  // namespace
}  // namespace holdfast::blob
