#include "base/bytes.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(Base64, EncodesTheRfcVectors) {
  const std::pair<const char*, const char*> table[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : table) {
    EXPECT_EQ(base64(as_bytes(plain)), coded);
    ASSERT_TRUE(from_base64(coded)) << coded;
    EXPECT_EQ(*from_base64(coded), plain);
  }
  EXPECT_EQ(base64_url(as_bytes("\xfb\xff\xfe")), "-__-");
  EXPECT_EQ(*from_base64_url("-__-"), "\xfb\xff\xfe");
}

TEST(Base64, RefusesWhatIsNot) {
  for (const char* bad : {"Z", "Zg", "Zg=", "Z===", "Zm9v====", "Zg=v", "Zm 9", "Zh==", "Zm9-"}) {
    EXPECT_FALSE(from_base64(bad)) << bad;
  }
}

TEST(Hex, RoundTripAndErrors) {
  EXPECT_EQ(hex(as_bytes(std::string("\x00\xab\xff", 3))), "00abff");
  EXPECT_EQ(*from_hex("00ABff"), std::string("\x00\xab\xff", 3));
  EXPECT_FALSE(from_hex("abc"));
  EXPECT_FALSE(from_hex("zz"));
}

TEST(Percent, RoundTripAndErrors) {
  EXPECT_EQ(percent_encode("a b/ü%", "/"), "a%20b/%C3%BC%25");
  EXPECT_EQ(*percent_decode("a%20b/%c3%bc+"), "a b/ü+");
  EXPECT_EQ(*percent_decode("a+b", true), "a b");
  for (const char* bad : {"%", "%2", "a%zz", "%2x"}) EXPECT_FALSE(percent_decode(bad)) << bad;
}

TEST(Numbers, WholeTextOnly) {
  EXPECT_EQ(parse_u64("18446744073709551615"), 18446744073709551615ull);
  for (const char* bad : {"", "-1", "1x", " 1", "18446744073709551616"})
    EXPECT_FALSE(parse_u64(bad)) << bad;
}

TEST(Units, SizesAndDurations) {
  using namespace std::chrono_literals;
  EXPECT_EQ(*parse_size("64KiB"), 65536u);
  EXPECT_EQ(*parse_size("1.5 MiB"), 1572864u);
  EXPECT_EQ(*parse_size("100"), 100u);
  EXPECT_FALSE(parse_size("10MB"));
  EXPECT_FALSE(parse_size("many"));
  EXPECT_FALSE(parse_size("-1KiB"));
  EXPECT_EQ(*parse_duration("500ms"), 500ms);
  EXPECT_EQ(*parse_duration("2h"), 2h);
  EXPECT_FALSE(parse_duration("10"));
  EXPECT_FALSE(parse_duration("ten s"));
  EXPECT_EQ(format_size(1536), "1.5 KiB");
  EXPECT_EQ(format_size(7), "7 B");
}

TEST(Text, TrimSplitLower) {
  EXPECT_EQ(trim(" \ta b "), "a b");
  EXPECT_EQ(trim("  "), "");
  EXPECT_EQ(split("a,,b", ',').size(), 3u);
  EXPECT_EQ(lower("X-Ms-Ü"), "x-ms-Ü");
  EXPECT_TRUE(equal_ignore_case("ETag", "etag"));
  EXPECT_FALSE(equal_ignore_case("ETag", "eta"));
}

}  // namespace
}  // namespace holdfast
