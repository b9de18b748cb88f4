#include "blob/tag_filter.h"

#include <gtest/gtest.h>

namespace holdfast::blob {
namespace {

using Tags = std::vector<std::pair<std::string, std::string>>;

std::string outcome(std::string_view text, TagGrammar grammar, const Tags& tags) {
  const auto filter = parse_tag_filter(text, grammar);
  if (!filter) return std::string(filter.error().message());
  return filter->holds(tags) ? "yes" : "no";
}

TEST(TagFilter, HoldsAsItsTextSays) {
  const Tags tags = {{"site", "north 1"}, {"rank", "042"}, {"a/b", "x"}, {"none", ""}};
  const struct {
    std::string_view text, wanted;
  } rows[] = {
      {"site='north 1'", "yes"},
      {"\"site\" = 'north 1'", "yes"},
      {"site = 'north'", "no"},
      {"\"a/b\"='x' and rank>'041'", "yes"},
      {"rank >= '042' AND rank <= '042'", "yes"},
      {"rank > '042' AND rank < '9'", "no"},
      {"rank < '1'", "yes"},
      {"none = ''", "yes"},
      {"none > ''", "no"},
      {"missing = ''", "no"},
      {"missing < 'z'", "no"},
      {"(site = 'north 1') AND (rank > '0')", "yes"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(outcome(row.text, TagGrammar::find, tags), row.wanted) << row.text;
    EXPECT_EQ(outcome(row.text, TagGrammar::condition, tags), row.wanted) << row.text;
  }
  const struct {
    std::string_view text, wanted;
  } conditions[] = {
      {"site <> 'south'", "yes"},
      {"site <> 'north 1'", "no"},
      {"missing <> 'x'", "yes"},
      {"site = 'x' OR rank = '042'", "yes"},
      {"site = 'x' OR rank = '1' AND none = ''", "no"},
      {"rank = '1' AND site = 'x' OR none = ''", "yes"},
      {"rank = '1' AND (site = 'x' OR none = '')", "no"},
      {"(rank = '1' or rank = '042') and (site = 'x' or none = '')", "yes"},
      {"rank = '042' AND rank = '042'", "yes"},
  };
  for (const auto& row : conditions)
    EXPECT_EQ(outcome(row.text, TagGrammar::condition, tags), row.wanted) << row.text;
}

TEST(TagFilter, SaysWhereItBreaks) {
  const std::string at = "Error parsing query at or near character position ";
  const struct {
    std::string_view text, wanted;
  } rows[] = {
      {"", "1: unexpected end of query"},
      {"site", "5: unexpected end of query"},
      {"site=", "6: unexpected end of query"},
      {"site=x", "6: unexpected 'x'"},
      {"site=\"x\"", "6: unexpected '\"'"},
      {"site='x", "8: a quote is not closed"},
      {"\"site='x'", "10: a quote is not closed"},
      {"\"\"='x'", "3: a tag's name is not empty"},
      {"='x'", "1: unexpected '='"},
      {"site='x' AND", "13: unexpected end of query"},
      {"site='x' site='y'", "10: unexpected 's'"},
      {"site='x' ANDy='y'", "10: unexpected 'A'"},
      {"(site='x'", "10: unexpected end of query"},
      {"site=='x'", "6: unexpected '='"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(outcome(row.text, TagGrammar::find, {}), at + std::string(row.wanted)) << row.text;
    EXPECT_EQ(outcome(row.text, TagGrammar::condition, {}), at + std::string(row.wanted))
        << row.text;
  }
  const std::string_view found[] = {
      "a='1' OR b='2'",  "a<>'1'",          "a='1' AND a='2'",
      "a>'1' AND a>'2'", "a='1' AND a<'2'", "a>'1' AND a<'5' AND a<'6'",
      "@container>'x'",  "@other='x'",      "\"@container\"='x'"};
  for (const auto text : found)
    EXPECT_TRUE(outcome(text, TagGrammar::find, {}).starts_with(at)) << text;
  EXPECT_TRUE(outcome("@container='x'", TagGrammar::condition, {}).starts_with(at));
}

TEST(TagFilter, IsBounded) {
  std::string ten, deep(100'000, '(');
  for (int i = 0; i < 10; ++i) ten += (i > 0 ? " AND k" : "k") + std::to_string(i) + "='v'";
  EXPECT_EQ(outcome(ten, TagGrammar::find, {}), "no");
  EXPECT_NE(outcome(ten + " AND k='v'", TagGrammar::find, {}).find("at most 10"),
            std::string::npos);
  EXPECT_NE(outcome(deep, TagGrammar::condition, {}).find("too many brackets"), std::string::npos);
}

TEST(TagFilter, AQuoteWithinIsDoubled) {
  const auto filter = parse_tag_filter("\"a\"\"b\"='it''s'", TagGrammar::find);
  ASSERT_TRUE(filter);
  EXPECT_EQ(filter->any_of[0][0].key, "a\"b");
  EXPECT_EQ(filter->any_of[0][0].value, "it's");
}

}  // namespace
}  // namespace holdfast::blob
