#include "base/merge_patch.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace holdfast {
namespace {

namespace json = boost::json;

json::object object(std::string_view text) {
  return json::parse(text).as_object();
}

TEST(MergePatch, LeadsFromOneDocumentToTheOther) {
  const std::pair<const char*, const char*> table[] = {
      {"{}", "{}"},
      {R"({"a":1})", R"({"a":1,"b":{"c":2}})"},
      {R"({"a":{"b":1,"c":[1]}})", R"({"a":{"c":[1,2]}})"},
      {R"({"a":{"b":1}})", R"({"a":5})"},
      {R"({"a":5,"z":1})", R"({"a":{"b":{"c":1}}})"},
  };
  for (const auto& [before, after] : table) {
    json::object document = object(before);
    const json::object patch = merge_patch(document, object(after));
    apply_merge_patch(document, patch);
    EXPECT_EQ(json::value(document), json::parse(after)) << json::serialize(patch);
  }
  EXPECT_TRUE(merge_patch(object(R"({"a":{"b":1}})"), object(R"({"a":{"b":1}})")).empty());
  EXPECT_EQ(
      json::serialize(merge_patch(object(R"({"a":{"b":1,"c":1}})"), object(R"({"a":{"c":1}})"))),
      R"({"a":{"b":null}})");
}

TEST(MergePatch, TwoBecomeOne) {
  const char* table[][3] = {
      {R"({"a":1})", R"({"b":2})", R"({"a":1,"b":2})"},
      {R"({"a":1})", R"({"a":null})", R"({"a":null})"},
      {R"({"a":null})", R"({"a":{"b":1}})", R"({"a":{"b":1}})"},
      {R"({"a":{"b":1,"c":2}})", R"({"a":{"b":null}})", R"({"a":{"b":null,"c":2}})"},
  };
  for (const auto& [first, second, both] : table) {
    json::object joined = object(first);
    join_merge_patches(joined, object(second));
    EXPECT_EQ(json::serialize(joined), both);
  }
}

}  // namespace
}  // namespace holdfast
