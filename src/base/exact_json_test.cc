#include "base/exact_json.h"

#include <gtest/gtest.h>
#include <boost/json/serialize.hpp>

#include <charconv>
#include <cmath>
#include <random>
#include <string>

namespace holdfast {
namespace {

std::string shortest(double value) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

TEST(ExactJson, EveryDoubleComesBackAsItWas) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    const double value = std::ldexp(static_cast<double>(random()) + 0.5, -80 + i % 60);
    const auto parsed = parse_json_exactly("{\"value\":" + shortest(value) + "}");
    ASSERT_TRUE(parsed) << shortest(value);
    const auto& found = parsed->as_object().at("value");
    if (found.is_double()) ASSERT_EQ(found.get_double(), value);
  }
  for (const double value : {0.1, 1e-7, 5e-324, 1.7976931348623157e308, -0.30000000000000004}) {
    const auto parsed = parse_json_exactly("[" + shortest(value) + "]");
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->as_array().at(0).to_number<double>(), value);
  }
}

TEST(ExactJson, ReadsWhatJsonHas) {
  const std::string text =
      R"({"a":[1,-2,18446744073709551615,1.5,true,false,null,"\u00fc\n"],"b":{"c":{}},"d":""})";
  const auto parsed = parse_json_exactly(text);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(boost::json::serialize(*parsed),
            R"({"a":[1,-2,18446744073709551615,1.5E0,true,false,null,"ü\n"],"b":{"c":{}},"d":""})");
}

TEST(ExactJson, TooLargeForADoubleIsNoError) {
  const auto parsed = parse_json_exactly("[1e999, 1e-999]");
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(std::isinf(parsed->as_array().at(0).get_double()));
  EXPECT_EQ(parsed->as_array().at(1).get_double(), 0.0);
}

TEST(ExactJson, WhatIsNotJsonIsRefused) {
  for (const std::string_view text :
       {"", "{", "[1,]", "{} {}", "1e", "\"", "nul", "{\"a\":1,}", "/* */ 1", "\"\xff\""})
    EXPECT_FALSE(parse_json_exactly(text)) << text;
  const std::string deep = std::string(33, '[') + std::string(33, ']');
  EXPECT_FALSE(parse_json_exactly(deep));
  EXPECT_TRUE(parse_json_exactly(deep, 33));
}

}  // namespace
}  // namespace holdfast
