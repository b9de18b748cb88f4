#include "broker/route.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace holdfast::broker {
namespace {

Message message() {
  Message out;
  out.device = "dev";
  out.module = "filter";
  out.output = "alerts";
  out.properties = {{"$.ct", "application/json"},
                    {"$.ce", "utf-8"},
                    {"$.mid", "m-1"},
                    {"level", "high"},
                    {"count", "12"},
                    {"my-key.x", "v"},
                    {"from", "into"}};
  out.body = R"({"temperature": 31.5, "ok": true, "none": null, "name": "O'Brien",
                 "list": [{"v": 1}, {"v": 2}], "deep": {"er": {"est": "x"}}})";
  return out;
}

TEST(Condition, HoldsOrNot) {
  const std::pair<const char*, bool> table[] = {
      {"true", true},
      {"false", false},
      {"level = 'high'", true},
      {"level = \"high\"", true},
      {"level = 'low'", false},
      {"level != 'low'", true},
      {"level <> 'low'", true},
      {"{level} = 'high'", true},
      {"my-key.x = 'v'", true},
      {"count = 12", false},  // a property is a text
      {"as_number(count) = 12", true},
      {"as_number(count) > 11 AND as_number(count) < 13", true},
      {"as_number(level) = 1", false},
      {"count > 11", false},
      {"missing = 'x'", false},
      {"missing != 'x'", false},  // undefined is not true
      {"NOT (missing = 'x')", false},
      {"is_defined(missing)", false},
      {"NOT is_defined(missing)", true},
      {"IS_DEFINED(level)", true},
      {"missing ?? 'x' = 'x'", true},
      {"level ?? 'x' = 'high'", true},
      {"$body.temperature > 30", true},
      {"$body.temperature >= 31.5", true},
      {"$body.temperature < 31.5", false},
      {"$body.temperature <= 31.5", true},
      {"$BODY.temperature > 30", true},
      {"$body.ok", true},
      {"$body.ok = true", true},
      {"NOT $body.ok", false},
      {"$body.list[1].v = 2", true},
      {"$body.list[2].v = 2", false},
      {"$body.deep.er.est = 'x'", true},
      {"is_null($body.none)", true},
      {"$body.none = null", true},
      {"is_defined($body.deep)", true},
      {"$body.deep = 'x'", false},
      {"$body.name = 'O\\'Brien'", true},
      {"$connectionModuleId = 'filter'", true},
      {"$connectionDeviceId = 'dev'", true},
      {"$messageId = 'm-1'", true},
      {"$contentType = 'application/json'", true},
      {"is_defined($userId)", false},
      {"1 + 2 * 3 = 7", true},
      {"(1 + 2) * 3 = 9", true},
      {"7 % 4 = 3", true},
      {"10 / 4 = 2.5", true},
      {"10 / 0 = 1", false},
      {"-3 < 2", true},
      {"5 - -3 = 8", true},
      {"'a' || 'b' = 'ab'", true},
      {"'a' < 'b'", true},
      {"true OR missing = 1", true},
      {"missing = 1 OR true", true},
      {"missing = 1 AND false", false},
      {"NOT (missing = 1 AND false)", true},
      {"NOT level = 'low' AND true", true},
      {"false AND false OR true", true},
      {"true OR false AND false", true},
      {"length(level) = 4", true},
      {"upper(level) = 'HIGH' and lower('A') = 'a'", true},
      {"starts_with(level, 'hi') AND ends_with(level, 'gh') AND contains(level, 'ig')", true},
      {"substring(level, 1, 2) = 'ig' AND substring(level, 2) = 'gh'", true},
      {"index_of(level, 'g') = 2", true},
      {"concat(level, '-', count) = 'high-12'", true},
      {"abs(-2) = 2 AND square(3) = 9 AND power(2, 10) = 1024 AND sqrt(16) = 4", true},
      {"ceiling(1.2) = 2 AND floor(1.8) = 1 AND sign(-5) = -1", true},
      {"sqrt(-1) = 1", false},
      {"is_string(level) AND is_number($body.temperature) AND is_bool($body.ok)", true},
      {"level", false},
  };
  for (const auto& [text, wanted] : table) {
    const auto condition = Condition::parse(text);
    ASSERT_TRUE(condition) << text << ": " << condition.error().message();
    EXPECT_EQ(condition->holds(message()), wanted) << text;
  }
}

TEST(Condition, ABodyWithoutItsTypeIsNotLookedInto) {
  Message plain = message();
  std::erase_if(plain.properties, [](const auto& one) { return one.name == "$.ce"; });
  EXPECT_FALSE(Condition::parse("$body.ok")->holds(plain));
  plain = message();
  plain.body = "{";
  EXPECT_FALSE(Condition::parse("$body.ok")->holds(plain));
}

TEST(Condition, SaysWhereItIsWrong) {
  const std::pair<std::string, const char*> table[] = {
      {"", "column 1: something is missing"},
      {"a =", "column 4: something is missing"},
      {"a = = 1", "column 5: a value"},
      {"(a = 1", "column 7: ')' is missing"},
      {"a = 'x", "column 7: the text has no end"},
      {"a = 1 b", "column 7: not understood"},
      {"nope(1)", "column 1: there is no function 'nope'"},
      {"abs(1, 2)", "abs does not take 2"},
      {"length()", "length does not take 0"},
      {"$", "a name is wanted"},
      {"$body.", "a name is wanted after '.'"},
      {"$body[x]", "an index in brackets"},
      {"{a", "'}' is missing"},
      {"1x = 2", "not a number"},
      {std::string(200, '('), "nested too deep"},
      {std::string(200, '-') + "1", "nested too deep"},
  };
  for (const auto& [text, message] : table) {
    const auto condition = Condition::parse(text);
    ASSERT_FALSE(condition) << text;
    EXPECT_NE(condition.error().message().find(message), std::string::npos)
        << text << " → " << condition.error().message();
  }
}

TEST(Route, TakesItsSource) {
  struct Case {
    const char* source;
    bool output, plain, leaf;  // filter/alerts, filter without an output, a device of its own
  };
  const Case table[] = {
      {"/*", true, true, true},
      {"/messages/*", true, true, true},
      {"/messages", false, false, true},
      {"/messages/modules/*", true, true, false},
      {"/messages/modules/filter/*", true, true, false},
      {"/messages/modules/filter", false, true, false},
      {"/messages/modules/filter/outputs/*", true, false, false},
      {"/messages/modules/filter/outputs/alerts", true, false, false},
      {"/Messages/modules/FILTER/outputs/Alerts", true, false, false},
      {"/messages/modules/*/outputs/alerts", true, false, false},
      {"/messages/modules/filter/outputs/other", false, false, false},
      {"/messages/modules/other/*", false, false, false},
  };
  Message output = message(), plain = message(), leaf = message();
  plain.output.clear();
  leaf.module.clear();
  leaf.output.clear();
  for (const Case& one : table) {
    const auto route = parse_route(std::string("FROM ") + one.source + " INTO $upstream");
    ASSERT_TRUE(route) << one.source << route.error().message();
    EXPECT_EQ(route->takes(output), one.output) << one.source;
    EXPECT_EQ(route->takes(plain), one.plain) << one.source;
    EXPECT_EQ(route->takes(leaf), one.leaf) << one.source;
  }
}

TEST(Route, ReadsSinksAndConditions) {
  const auto up = parse_route("select * from /messages/* into $UPSTREAM");
  ASSERT_TRUE(up) << up.error().message();
  EXPECT_EQ(up->endpoint, "$upstream");
  const auto input = parse_route(
      "  FROM /messages/modules/shares/outputs/camera WHERE from = 'into' AND x <> ' INTO ' "
      "INTO BrokeredEndpoint( \"/modules/filter/inputs/files\" ) ");
  ASSERT_TRUE(input) << input.error().message();
  EXPECT_EQ(input->endpoint, "filter/files");
  EXPECT_TRUE(input->condition);
}

TEST(Route, SaysWhereItIsWrong) {
  const std::pair<const char*, const char*> table[] = {
      {"", "FROM is missing"},
      {"TO /messages/* INTO $upstream", "FROM is missing"},
      {"SELECT x FROM /messages/* INTO $upstream", "column 1: a route begins"},
      {"FROM /messages/*", "INTO is missing"},
      {"FROM messages INTO $upstream", "column 6: a source begins with '/'"},
      {"FROM /other INTO $upstream", "'/other' is no source"},
      {"FROM /messages/mod* INTO $upstream", "'*' stands for a whole level"},
      {"FROM /messages/* WHERE a = INTO $upstream", "after WHERE, column 6"},
      {"FROM /messages/* INTO $down", "column 23: a sink is"},
      {"FROM /messages/* INTO BrokeredEndpoint(\"/modules/x\")", "the path is not"},
      {"FROM /messages/* INTO BrokeredEndpoint(/modules/x/inputs/y)", "a quoted path"},
      {"FROM /messages/* INTO BrokeredEndpoint \"/modules/x/inputs/y\"", "parentheses"},
      {"FROM /twinChangeNotifications INTO $upstream", "twin changes are no source"},
  };
  for (const auto& [text, message] : table) {
    const auto route = parse_route(text);
    ASSERT_FALSE(route) << text;
    EXPECT_NE(route.error().message().find(message), std::string::npos)
        << text << " → " << route.error().message();
  }
}

HubConfig config(std::string_view text) {
  const auto read = parse_hub_config(boost::json::parse(text).as_object());
  EXPECT_TRUE(read) << read.error().message();
  return read ? *read : HubConfig();
}

TEST(HubConfig, TextsAndObjects) {
  const HubConfig read = config(R"x({"$version": 4, "schemaVersion": "1.1", "routes": {
      "a": "FROM /messages/* INTO $upstream",
      "b": {"route": "FROM /messages/* INTO $upstream", "priority": 0, "timeToLiveSecs": 60},
      "c": {"route": "FROM /* INTO BrokeredEndpoint('/modules/x/inputs/y')", "priority": 9},
      "gone": null},
      "storeAndForwardConfiguration": {"timeToLiveSecs": 100,
                                       "storeLimits": {"maxSizeBytes": 5000}}})x");
  EXPECT_EQ(read.version, 4);
  ASSERT_EQ(read.routes.size(), 3u);
  EXPECT_EQ(read.time_to_live, 100u);
  EXPECT_EQ(read.max_bytes, 5000u);
  const auto where = destinations(read, message());
  ASSERT_EQ(where.size(), 2u);
  EXPECT_EQ(where[0].endpoint, "$upstream");
  EXPECT_EQ(where[0].priority, 0u);
  EXPECT_EQ(where[0].time_to_live, 60u);
  EXPECT_EQ(where[1].endpoint, "x/y");
  EXPECT_EQ(where[1].time_to_live, 100u);
}

TEST(HubConfig, NamesThePlace) {
  const auto error = [](std::string_view text) {
    const auto read = parse_hub_config(boost::json::parse(text).as_object());
    return read ? std::string("no error")
                : std::string(read.error().reason()) + " " + read.error().message();
  };
  EXPECT_EQ(error(R"({"$version":1})"), "manifest_empty the desired properties are empty");
  EXPECT_TRUE(error(R"({"schemaVersion":"2.0"})").starts_with("manifest_schema"));
  EXPECT_EQ(error(R"({"schemaVersion":"1.1","routes":{"r":"FROM /x"}})"),
            "manifest_format routes.r: column 8: INTO is missing");
  EXPECT_EQ(error(R"({"schemaVersion":"1.1","routes":{"r":{"route":"x","priority":10}}})"),
            "manifest_format routes.r.priority: is not a whole number from 0 to 9");
  EXPECT_EQ(error(R"({"schemaVersion":"1.1","routes":{"r":5}})"),
            "manifest_format routes.r: must be a text");
}

}  // namespace
}  // namespace holdfast::broker
