// What a request says: address, names, conditions, metadata, headers and ranges, by table.
#include "blob/http/call.h"

#include <gtest/gtest.h>

#include "blob/http/testing.h"

namespace holdfast::blob {
namespace {

TEST(BlobAddress, IsTakenFromThePath) {
  const std::tuple<const char*, const char*, const char*, const char*> rows[] = {
      {"/site1", "site1", "", ""},
      {"/site1/", "site1", "", ""},
      {"/site1/c", "site1", "c", ""},
      {"/site1/c/", "site1", "c", ""},
      {"/site1/c/x", "site1", "c", "x"},
      {"/site1/c/a/b//c.txt", "site1", "c", "a/b//c.txt"},
      {"/site1/c/a%2Fb%20c", "site1", "c", "a/b c"},
      {"/site1/c/a+b", "site1", "c", "a+b"},
      {"/site1/c/a%5Cb\\c", "site1", "c", "a/b/c"},
      {"/site1/c/%E6%97%A5", "site1", "c", "日"},
  };
  for (const auto& [path, account, container, blob] : rows) {
    const auto address = address_of(make_request("GET", path));
    ASSERT_TRUE(address) << path;
    EXPECT_EQ(address->account, account) << path;
    EXPECT_EQ(address->container, container) << path;
    EXPECT_EQ(address->blob, blob) << path;
  }
  for (const char* path : {"/", "//c/x", "/site1/%zz/x", "/site1/c/%4", "/site1/c/a%00b", "/%00/c"})
    EXPECT_EQ(reason_of(address_of(make_request("GET", path))), "invalid_uri") << path;
}

TEST(ContainerName, HasItsRules) {
  for (const std::string& name :
       {std::string("abc"), std::string("a-1-b"), std::string(63, 'a'), std::string("007"),
        std::string("$root"), std::string("$web"), std::string("$logs")})
    EXPECT_EQ(reason_of(check_container_name(name)), "") << name;
  for (const std::string& name :
       {std::string(""), std::string("ab"), std::string(64, 'a'), std::string("Abc"),
        std::string("-abc"), std::string("abc-"), std::string("a--b"), std::string("a_b"),
        std::string("a.b"), std::string("äbc"), std::string("$other"), std::string("..")})
    EXPECT_EQ(reason_of(check_container_name(name)), "invalid_resource_name") << name;
}

TEST(BlobName, IsUtf8OfLimitedLength) {
  std::string characters;
  for (int i = 0; i < 1024; ++i) characters += "日";
  std::string segments = "a";
  for (int i = 1; i < 254; ++i) segments += "/a";
  for (const std::string& name : {std::string("x"), characters, segments, std::string(1024, 'a'),
                                  std::string("\x7f\t<&>"), std::string("\xF4\x8F\xBF\xBF")})
    EXPECT_EQ(reason_of(check_blob_name(name)), "") << name;
  for (const std::string& name :
       {std::string(""), characters + "a", segments + "/a", std::string(1025, 'a'),
        std::string("\x80"), std::string("\xC0\xAF"), std::string("\xE0\x80\xAF"),
        std::string("\xED\xA0\x80"), std::string("\xF0\x80\x80\xAF"),
        std::string("\xF4\x90\x80\x80"), std::string("\xF5\x80\x80\x80"), std::string("\xE6\x97"),
        std::string("a\xFF")})
    EXPECT_EQ(reason_of(check_blob_name(name)), "invalid_resource_name") << name;
}

struct Calls : testing::Test, TestBlobs {
  Result<Conditions> conditions(const HeaderList& headers, Use use) {
    http::Request request = make_request("PUT", "/site1/c/x", headers);
    Call call(request, *address_of(request), *blobs);
    return conditions_of(call, use);
  }
};

TEST_F(Calls, ETagsOfConditions) {
  const std::pair<const char*, uint64_t> rows[] = {
      {"*", Conditions::kAny},
      {" * ", Conditions::kAny},
      {"\"0x00000000000000FF\"", 255},
      {"0xff", 255},
      {"W/\"0xFF\"", 255},
      {"\"0xFFFFFFFFFFFFFFFE\"", UINT64_MAX - 1},
      // Those of others match nothing; above all they are not "any".
      {"\"0x0\"", UINT64_MAX},
      {"\"0x\"", UINT64_MAX},
      {"\"0x00000000000000FFF\"", UINT64_MAX},
      {"\"0xGG\"", UINT64_MAX},
      {"\"*\"", UINT64_MAX},
      {"\"abc\"", UINT64_MAX},
      {"\"", UINT64_MAX},
      {"", UINT64_MAX},
  };
  for (const auto& [text, etag] : rows) {
    const auto match = conditions({{"If-Match", text}}, Use::write);
    ASSERT_TRUE(match) << text;
    EXPECT_EQ(match->if_match, etag) << text;
    EXPECT_EQ(conditions({{"If-None-Match", text}}, Use::read)->if_none_match, etag) << text;
  }
  EXPECT_EQ(reason_of(conditions({{"If-Match", "\"0x1\", \"0x2\""}}, Use::read)),
            "multiple_conditions");
  const auto own = conditions({{"If-Match", "\"" + etag_text(0xABCDEF) + "\""}}, Use::read);
  EXPECT_EQ(own->if_match, 0xABCDEFu);
}

TEST_F(Calls, TimesAndPairsOfConditions) {
  const std::string time = "Sun, 06 Nov 1994 08:49:37 GMT";
  const auto since = conditions({{"If-Modified-Since", time}}, Use::write);
  ASSERT_TRUE(since);
  EXPECT_EQ(since->if_modified_since, WallTime(std::chrono::seconds(784'111'777)));
  EXPECT_EQ(reason_of(conditions({{"If-Unmodified-Since", "yesterday"}}, Use::read)),
            "invalid_header");
  const HeaderList match = {{"If-Match", "*"}}, none = {{"If-None-Match", "*"}},
                   later = {{"If-Modified-Since", time}},
                   not_later = {{"If-Unmodified-Since", time}};
  const std::tuple<HeaderList, HeaderList, const char*> rows[] = {
      {match, {}, ""},
      {match, not_later, ""},
      {none, later, ""},
      {match, none, "multiple_conditions"},
      {match, later, "multiple_conditions"},
      {none, not_later, "multiple_conditions"},
      {later, not_later, "multiple_conditions"}};
  for (auto [headers, others, expected] : rows) {
    headers.insert(headers.end(), others.begin(), others.end());
    EXPECT_EQ(reason_of(conditions(headers, Use::write)), expected);
    EXPECT_EQ(reason_of(conditions(headers, Use::read)), "") << "a read takes them all";
  }
}

TEST(BlobMetadata, KeepsNamesAndRefusesWhatCanNotTravel) {
  const auto good = metadata_of(make_request(
      "PUT", "/", {{"x-ms-meta-Camera_1", "a b"}, {"X-MS-META-_x", ""}, {"x-ms-other", "no"}}));
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, (Pairs{{"Camera_1", "a b"}, {"_x", ""}}));
  for (const auto& [name, value] : HeaderList{{"x-ms-meta-", "v"},
                                              {"x-ms-meta-1a", "v"},
                                              {"x-ms-meta-a-b", "v"},
                                              {"x-ms-meta-a.b", "v"},
                                              {"x-ms-meta-a", "\xC3\xA4"},
                                              {"x-ms-meta-a", "\x7f"}})
    EXPECT_EQ(reason_of(metadata_of(make_request("PUT", "/", {{name, value}}))), "invalid_metadata")
        << name << "=" << value;
  EXPECT_TRUE(metadata_of(make_request("PUT", "/", {{"x-ms-meta-a", std::string(8191, 'v')}})));
  EXPECT_EQ(
      reason_of(metadata_of(make_request("PUT", "/", {{"x-ms-meta-a", std::string(8192, 'v')}}))),
      "metadata_too_large");
}

TEST(BlobHeaders, HaveTheirOwnNamesAndPlainOnesWherePutBlobAllows) {
  const HeaderList sent = {{"x-ms-blob-content-type", "image/png"},
                           {"Content-Type", "text/plain"},
                           {"Content-Language", "de"},
                           {"Cache-Control", ""},
                           {"Content-MD5", "of the body"},
                           {"x-ms-blob-content-md5", "own"}};
  EXPECT_EQ(*blob_headers_of(make_request("PUT", "/", sent), false),
            (Pairs{{"Content-Type", "image/png"}, {"Content-MD5", "own"}}));
  EXPECT_EQ(
      *blob_headers_of(make_request("PUT", "/", sent), true),
      (Pairs{{"Content-Type", "image/png"}, {"Content-Language", "de"}, {"Content-MD5", "own"}}));
  EXPECT_EQ(*blob_headers_of(make_request("PUT", "/", {{"Content-MD5", "of the body"}}), true),
            (Pairs{{"Content-Type", "application/octet-stream"}}));
  EXPECT_EQ(reason_of(blob_headers_of(
                make_request("PUT", "/", {{"x-ms-blob-cache-control", "\xC3\xA4"}}), false)),
            "invalid_header");
}

// "first-last", or "none".
std::string range_in(const HeaderList& headers) {
  const auto range = range_of(make_request("GET", "/", headers));
  return range ? std::to_string(range->first) + "-" + std::to_string(range->last) : "none";
}

TEST(BlobRange, IsOneOfBytes) {
  const std::string end = std::to_string(UINT64_MAX);
  const std::pair<std::string, std::string> rows[] = {{"bytes=0-", "0-" + end},
                                                      {"bytes=0-0", "0-0"},
                                                      {"bytes=5-9", "5-9"},
                                                      {"bytes=" + end + "-", end + "-" + end}};
  for (const auto& [text, expected] : rows) {
    EXPECT_EQ(range_in({{"Range", text}}), expected) << text;
    EXPECT_EQ(range_in({{"x-ms-range", text}}), expected) << text;
  }
  // RFC 9110 has a range that is not understood ignored; the service knows no suffix ranges.
  for (const char* text :
       {"", "bytes=", "bytes=-5", "bytes=9-5", "bytes=a-b", "bytes=1", "1-2", "bytes=1-2,4-5",
        "bytes= 1-2", "bytes=18446744073709551616-", "bytes=1-b"})
    EXPECT_EQ(range_in({{"Range", text}}), "none") << text;
  EXPECT_EQ(range_in({{"Range", "bytes=1-2"}, {"x-ms-range", "bytes=3-4"}}), "3-4");
}

}  // namespace
}  // namespace holdfast::blob
