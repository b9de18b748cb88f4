#include "blob/http/batch_body.h"

#include <gtest/gtest.h>

namespace holdfast::blob {
namespace {

constexpr std::string_view kType = "multipart/mixed; boundary=b1";

std::string part(std::string_view request, std::string_view id = "0") {
  return "--b1\r\nContent-Type: application/http\r\nContent-ID: " + std::string(id) +
         "\r\nContent-Transfer-Encoding: binary\r\n\r\n" + std::string(request) + "\r\n";
}

TEST(BatchBody, PartsAreRequests) {
  const auto parts = parse_batch(
      kType,
      part("DELETE /c/a%20b?snapshot=x HTTP/1.1\r\nx-ms-date: now\r\nContent-Length: 0\r\n", "7") +
          part("PUT /c/b?comp=tier HTTP/1.1\r\nx-ms-access-tier: Cool\r\n") + "--b1--\r\n");
  ASSERT_TRUE(parts) << parts.error().message();
  ASSERT_EQ(parts->size(), 2u);
  const BatchPart& first = parts->front();
  EXPECT_EQ(first.id, "7");
  EXPECT_EQ(first.request.method, "DELETE");
  EXPECT_EQ(first.request.path, "/c/a%20b");
  EXPECT_EQ(first.request.query_value("snapshot"), "x");
  EXPECT_EQ(first.request.headers.get("x-ms-date"), "now");
  EXPECT_EQ(parts->back().request.headers.get("X-MS-Access-Tier"), "Cool");
}

TEST(BatchBody, ABoundaryMayBeQuotedAndFollowAPreamble) {
  const auto parts = parse_batch(
      "Multipart/Mixed; charset=x; Boundary=\"b1\"",
      "preamble\r\n--b1x\r\n" + part("DELETE /c/a HTTP/1.1\r\n") + "--b1--\r\nepilogue");
  ASSERT_TRUE(parts) << parts.error().message();
  EXPECT_EQ(parts->size(), 1u);
}

TEST(BatchBody, WhatIsNoBatchIsRefused) {
  const std::string long_one = "multipart/mixed; boundary=" + std::string(71, 'x');
  const std::string good = part("DELETE /c/a HTTP/1.1\r\n"), end = "--b1--\r\n";
  const std::tuple<const char*, std::string_view, std::string, const char*> rows[] = {
      {"no boundary", "multipart/mixed", good + end, "invalid_header"},
      {"another type", "text/plain; boundary=b1", good + end, "invalid_header"},
      {"a long boundary", long_one, good + end, "invalid_header"},
      {"empty", kType, "", "invalid_batch"},
      {"no part", kType, end, "invalid_batch"},
      {"cut", kType, good, "invalid_batch"},
      {"no type of a part", kType, "--b1\r\n\r\nDELETE /c/a HTTP/1.1\r\n" + end, "invalid_batch"},
      {"no request line", kType, part("") + end, "invalid_batch"},
      {"no version", kType, part("DELETE /c/a\r\n") + end, "invalid_batch"},
      {"no path", kType, part("DELETE c/a HTTP/1.1\r\n") + end, "invalid_batch"},
      {"no header", kType, part("DELETE /c/a HTTP/1.1\r\nnothing\r\n") + end, "invalid_batch"},
      {"a body", kType, part("DELETE /c/a HTTP/1.1\r\n\r\nbody") + end, "invalid_batch"},
      {"a length", kType, part("DELETE /c/a HTTP/1.1\r\nContent-Length: 4\r\n") + end,
       "invalid_batch"}};
  for (const auto& [what, type, body, reason] : rows) {
    const auto parts = parse_batch(type, body);
    ASSERT_FALSE(parts) << what;
    EXPECT_EQ(parts.error().reason(), reason) << what;
  }
}

TEST(BatchBody, OverTheMostPartsNothingIsTaken) {
  std::string body;
  for (size_t i = 0; i < kBatchParts; ++i) body += part("DELETE /c/a HTTP/1.1\r\n");
  const auto most = parse_batch(kType, body + "--b1--\r\n");
  ASSERT_TRUE(most);
  EXPECT_EQ(most->size(), kBatchParts);
  const auto more = parse_batch(kType, body + part("DELETE /c/a HTTP/1.1\r\n") + "--b1--\r\n");
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().reason(), "too_many_parts");
}

}  // namespace
}  // namespace holdfast::blob
