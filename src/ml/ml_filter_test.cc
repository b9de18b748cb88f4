#include <gtest/gtest.h>

#include "ml/filter.h"
#include "ml/limits.h"

namespace holdfast::ml {
namespace {

constexpr Attribute kAttributes[] = {
    {.name = "name", .column = "n", .list = true},
    {.name = "run name", .column = "n"},
    {.name = "start_time", .column = "s", .kind = Attribute::number},
    {.name = "made", .column = "m", .kind = Attribute::number, .filter = false},
};
constexpr Grammar kGrammar = {.things = "runs",
                              .attributes = kAttributes,
                              .metrics = true,
                              .params = true,
                              .datasets = true,
                              .nulls = true};

std::string shown(const Clause& clause) {
  static constexpr const char* kOps[] = {
      "=", "!=", "<", "<=", ">", ">=", "like", "ilike", "in", "not in", "null", "not null"};
  static constexpr const char* kFields[] = {"attribute", "metric", "param", "tag", "dataset"};
  std::string out = kFields[static_cast<int>(clause.field)];
  out += ":" + (clause.attribute != nullptr ? std::string(clause.attribute->name) : clause.key);
  out += std::string(" ") + kOps[static_cast<int>(clause.op)];
  for (const std::string& text : clause.texts) out += " <" + text + ">";
  if (clause.number != 0) out += " " + std::to_string(clause.number).substr(0, 4);
  return out;
}

std::string parsed(std::string_view text, const Grammar& grammar = kGrammar) {
  const auto clauses = parse_filter(text, grammar);
  if (!clauses) return "error";
  std::string out;
  for (const Clause& clause : *clauses) out += (out.empty() ? "" : "; ") + shown(clause);
  return out;
}

TEST(MlFilter, WhatClientsWriteIsUnderstood) {
  const std::pair<const char*, const char*> rows[] = {
      {"", ""},
      {"   ", ""},
      {"metrics.accuracy > 0.9", "metric:accuracy > 0.90"},
      {"metrics.`a b` <= -1.5e0", "metric:a b <= -1.5"},
      {"metric.\"a.b/c\" != 3", "metric:a.b/c != 3.00"},
      {"params.lr = '0.1'", "param:lr = <0.1>"},
      {"parameters.lr LIKE '%0_1'", "param:lr like <%0_1>"},
      {"tags.team ilike \"A%\"", "tag:team ilike <A%>"},
      {"tag.mlflow.source.name = 'x'", "tag:mlflow.source.name = <x>"},
      {"tags.`mlflow.prompt.is_prompt` != 'true'", "tag:mlflow.prompt.is_prompt != <true>"},
      {"attributes.name IN ('a', 'b')", "attribute:name in <a> <b>"},
      {"name NOT IN ('a',)", "attribute:name not in <a>"},
      {"attributes.`run name` = 'x'", "attribute:run name = <x>"},
      {"start_time >= 1700000000000", "attribute:start_time >= 1700"},
      {"datasets.context = 'train'", "dataset:context = <train>"},
      {"dataset.name IN ('a')", "dataset:name in <a>"},
      {"tags.a IS NULL AND params.b IS NOT NULL", "tag:a null; param:b not null"},
      {"metrics.m > 1 and params.p='x' AND name != 'and'",
       "metric:m > 1.00; param:p = <x>; attribute:name != <and>"},
      {"params.p = 'it is \"so\"'", "param:p = <it is \"so\">"},
  };
  for (const auto& [text, wanted] : rows) EXPECT_EQ(parsed(text), wanted) << text;
}

TEST(MlFilter, WhatIsWrongIsRefused) {
  for (const char* text : {"metrics.a > 'x'",
                           "metrics.a",
                           "metrics.a >",
                           "metrics. > 1",
                           "params.a > 'x'",
                           "params.a = 1",
                           "params.a = x",
                           "tags.a = 'x' OR tags.b = 'y'",
                           "(tags.a = 'x')",
                           "nothing = 'x'",
                           "made > 1",
                           "people.a = 'x'",
                           "name IN ()",
                           "name IN ('a'",
                           "name IN 'a'",
                           "start_time IN ('1')",
                           "metrics.a IN ('1')",
                           "name IS NULL",
                           "tags.a NOT NULL",
                           "datasets.size = 'x'",
                           "tags.a = 'x",
                           "tags.a ! 'x'",
                           "tags.a == 'x'",
                           "AND",
                           "tags.a = 'x' AND",
                           "tags.a = 'x' tags.b = 'y'",
                           "tags.a = 'x'; DROP TABLE run",
                           "tags.a LIKE 5",
                           "start_time LIKE '5'",
                           "\x01"})
    EXPECT_EQ(parsed(text), "error") << text;
  const auto where = parse_filter("metrics.a > 1 AND bad = 'x'", kGrammar);
  EXPECT_EQ(where.error().code(), Code::invalid_argument);
  EXPECT_NE(where.error().message().find("19"), std::string::npos) << where.error().message();
}

TEST(MlFilter, IsBounded) {
  EXPECT_EQ(parsed(std::string(70'000, ' ')), "error");
  std::string many = "tags.a = 'x'";
  for (int i = 0; i < 100; ++i) many += " AND tags.a = 'x'";
  EXPECT_EQ(parsed(many), "error");
  // SQLite refuses longer patterns in its own words, which would be the server's failure.
  EXPECT_EQ(parsed("tags.a LIKE '" + std::string(6000, '%') + "'"), "error");
  EXPECT_NE(parsed("tags.a LIKE '" + std::string(4000, '%') + "'"), "error");
}

TEST(MlFilter, AGrammarOffersWhatItHas) {
  constexpr Grammar kModels = {.things = "models", .attributes = kAttributes};
  EXPECT_EQ(parsed("name = 'x'", kModels), "attribute:name = <x>");
  for (const char* text :
       {"metrics.a > 1", "params.a = 'x'", "datasets.name = 'x'", "tags.a IS NULL"})
    EXPECT_EQ(parsed(text, kModels), "error") << text;
}

TEST(MlOrder, ItemsAreRead) {
  const auto orders =
      parse_order({"metrics.`a b` DESC", "start_time", "tags.x asc", "made"}, kGrammar);
  ASSERT_TRUE(orders) << orders.error().message();
  EXPECT_EQ(orders->at(0).key, "a b");
  EXPECT_TRUE(orders->at(0).descending);
  EXPECT_EQ(orders->at(1).attribute, &kAttributes[2]);
  EXPECT_FALSE(orders->at(2).descending);
  EXPECT_EQ(orders->at(3).attribute, &kAttributes[3]);
  for (const char* item : {"", "metrics.a sideways", "metrics.a DESC ASC", "unknown",
                           "datasets.name", "name; DROP TABLE run"})
    EXPECT_FALSE(parse_order({item}, kGrammar)) << item;
}

TEST(MlLimits, NamesAndValues) {
  for (const char* good : {"a", "a/b", "train.loss", "a b", "a:b", "ä", "_x-1"})
    EXPECT_TRUE(check_key("metric", good)) << good;
  for (const char* bad : {"", "/a", "a//b", "../a", "a/../b", ".", "a\nb", "a\\b", "a#b", "a?b"})
    EXPECT_FALSE(check_key("metric", bad)) << bad;
  EXPECT_FALSE(check_key("metric", std::string(251, 'a')));
  for (const char* bad : {"", "latest", "Latest", "v1", "V22", "a b", "a/b"})
    EXPECT_FALSE(check_alias(bad)) << bad;
  for (const char* good : {"champion", "v1a", "prod-1"}) EXPECT_TRUE(check_alias(good)) << good;
  for (const char* bad : {"", " ", "a/b", "a:b"}) EXPECT_FALSE(check_model_name(bad)) << bad;
  for (const char* bad : {"", "-a", "a/b", "a b", ".."}) EXPECT_FALSE(check_run_id(bad)) << bad;
  for (const char* good : {"", "aä€😀", "\xed\x9f\xbf"}) EXPECT_TRUE(is_utf8(good)) << good;
  for (const char* bad : {"\xff", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xf4\x90\x80\x80", "a\x80", "\xe2\x82"})
    EXPECT_FALSE(is_utf8(bad));
  EXPECT_EQ(cut("aä", 2), "a");  // not in the middle of a sign
}

TEST(MlLimits, ABatchIsBounded) {
  Batch twice;
  twice.params = {{"a", "1"}, {"a", "1"}};
  EXPECT_FALSE(check_batch(twice));
  Batch many;
  many.metrics.resize(1001, Metric{.key = "m"});
  EXPECT_FALSE(check_batch(many));
  many.metrics.resize(950);
  for (int i = 0; i < 51; ++i) many.tags.emplace_back("t" + std::to_string(i), "");
  EXPECT_FALSE(check_batch(many));
  many.tags.pop_back();
  many.tags.front().second = std::string(9000, 'x');
  EXPECT_TRUE(check_batch(many));
  EXPECT_EQ(many.tags.front().second.size(), kTagValue);  // cut, as MLflow does
}

}  // namespace
}  // namespace holdfast::ml
