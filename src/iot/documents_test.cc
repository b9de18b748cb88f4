#include "iot/documents.h"

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace holdfast::iot {
namespace {

namespace json = boost::json;

json::object of(std::string_view text) {
  return json::parse(text).as_object();
}
const WallTime kThen(std::chrono::seconds(1'700'000'000));

TEST(TwinDocuments, MergePatches) {
  const struct {
    const char* values;
    const char* patch;
    const char* result;
  } rows[] = {
      {"{}", R"({"a":1})", R"({"a":1})"},
      {R"({"a":1,"b":2})", R"({"a":null})", R"({"b":2})"},
      {R"({"a":{"x":1,"y":2}})", R"({"a":{"x":null,"z":3}})", R"({"a":{"y":2,"z":3}})"},
      {R"({"a":{"x":1}})", R"({"a":5})", R"({"a":5})"},
      {R"({"a":5})", R"({"a":{"x":1,"n":null,"d":{"n":null}}})", R"({"a":{"x":1,"d":{}}})"},
      {R"({"a":[1,2]})", R"({"a":[3]})", R"({"a":[3]})"},
      {R"({"a":1})", R"({"missing":null})", R"({"a":1})"},
      {R"({"a":1})", "{}", R"({"a":1})"},
  };
  for (const auto& row : rows) {
    Section section = new_section(kThen, true);
    section.values = of(row.values);
    merge(section, of(row.patch), kThen, true);
    EXPECT_EQ(section.values, of(row.result)) << row.values << " + " << row.patch;
    EXPECT_EQ(section.version, 2u);
    json::object plain = of(row.values);
    merge(plain, of(row.patch));
    EXPECT_EQ(plain, of(row.result));
  }
}

TEST(TwinDocuments, ADifferenceIsThePatchThatMakesOneTheOther) {
  const char* documents[] = {"{}",
                             R"({"a":1})",
                             R"({"a":{"x":1,"y":[1]}})",
                             R"({"a":{"x":2},"b":{}})",
                             R"({"b":{"c":{"d":null}}})",
                             R"({"a":"t","b":1.5})"};
  for (const char* from : documents) {
    for (const char* to : documents) {
      Section section = new_section(kThen, true);
      replace(section, of(from), kThen, true);
      json::object merged = section.values;
      const json::object patch = replace(section, of(to), kThen, true);
      merge(merged, patch);
      EXPECT_EQ(merged, section.values) << from << " → " << to << " by " << json::serialize(patch);
      EXPECT_EQ(section.version, 3u);
    }
  }
}

TEST(TwinDocuments, MetadataFollowsEachProperty) {
  Section section = new_section(kThen, true);
  merge(section, of(R"({"a":{"x":1,"y":2},"b":3})"), kThen, true);
  merge(section, of(R"({"a":{"x":9},"b":null})"), kThen + std::chrono::seconds(61), true);
  EXPECT_EQ(section.metadata, of(R"({
    "$lastUpdated":"2023-11-14T22:14:21.000Z","$lastUpdatedVersion":3,
    "a":{"$lastUpdated":"2023-11-14T22:14:21.000Z","$lastUpdatedVersion":3,
         "x":{"$lastUpdated":"2023-11-14T22:14:21.000Z","$lastUpdatedVersion":3},
         "y":{"$lastUpdated":"2023-11-14T22:13:20.000Z","$lastUpdatedVersion":2}}})"))
      << json::serialize(section.metadata);
  Section reported = new_section(kThen, false);
  merge(reported, of(R"({"a":1})"), kThen, false);
  EXPECT_EQ(reported.metadata, of(R"({"$lastUpdated":"2023-11-14T22:13:20.000Z",
    "a":{"$lastUpdated":"2023-11-14T22:13:20.000Z"}})"));
}

TEST(TwinDocuments, Limits) {
  const std::string deep = R"({"1":{"2":{"3":{"4":{"5":{"6":{"7":{"8":{"9":{"10":)";
  const std::string ends = "}}}}}}}}}}";
  EXPECT_TRUE(check_section(of(deep + "1" + ends), "desired"));
  EXPECT_FALSE(check_section(of(deep + R"({"11":{}})" + ends), "desired"));
  for (const char* good : {R"({"a":[1,"x",{"b":null}]})", R"({"n":4503599627370496})",
                           R"({"n":-4503599627370496,"f":1e300,"t":true,"ü":1})"})
    EXPECT_TRUE(check_section(of(good), "desired")) << good;
  const struct {
    std::string text;
    const char* path;
  } bad[] = {{R"({"a":{"b.c":1}})", "desired.a.b.c"},
             {R"({"$x":1})", "desired.$x"},
             {R"({"a b":1})", "desired.a b"},
             {R"({"a\u0001":1})", "desired"},
             {R"({"":1})", "desired."},
             {R"({"n":4503599627370497})", "desired.n"},
             {R"({"n":[18446744073709551615]})", "desired.n[]"},
             {R"({"t":")" + std::string(4097, 'x') + R"("})", "desired.t"},
             {R"({")" + std::string(1025, 'k') + R"(":1})", "desired"}};
  for (const auto& row : bad) {
    const auto checked = check_section(of(row.text), "desired");
    ASSERT_FALSE(checked) << row.text.substr(0, 60);
    EXPECT_TRUE(checked.error().message().starts_with(row.path)) << checked.error().message();
  }
  json::object large;
  for (int i = 0; i < 9; ++i) large["k" + std::to_string(i)] = std::string(4000, 'x');
  EXPECT_EQ(check_size(large, kSectionLimit, "desired").error().code(), Code::too_large);
  EXPECT_TRUE(check_size(of("{}"), kTagsLimit, "tags"));
}

TEST(TwinDocuments, Parsing) {
  EXPECT_EQ(parse_object(R"({"a":1,"$version":7,"$metadata":{}})", "the patch").value(),
            of(R"({"a":1})"));
  for (const std::string& bad :
       {std::string(), std::string("[]"), std::string("1"), std::string("{"),
        std::string("{\"a\":1} x"), std::string("{\"a\":1,}"), std::string(" "),
        std::string(100, '[')})
    EXPECT_EQ(parse_object(bad, "the patch").error().code(), Code::invalid_argument) << bad;
}

}  // namespace
}  // namespace holdfast::iot
