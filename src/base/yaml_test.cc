#include "base/yaml.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

using namespace std::chrono_literals;

TEST(Yaml, ReadsEveryKind) {
  auto map = YamlMap::parse(
      "name: press\nquiet: 500ms\nsize: 4MiB\non: true\nrows: 7\nratio: 0.5\nmean: [1, 2.5]\ntags: "
      "[a, b]\n"
      "listen: {http: '127.0.0.1:1'}\nshares:\n  - {name: x}\n  - {name: y}\nempty:\n",
      "t.yaml");
  ASSERT_TRUE(map);
  EXPECT_EQ(*map->text("name"), "press");
  EXPECT_EQ(*map->duration_or("quiet", 1s), 500ms);
  EXPECT_EQ(*map->size_or("size", 1), 4u << 20);
  EXPECT_TRUE(*map->flag_or("on", false));
  EXPECT_EQ(*map->integer_or("rows", 1, 0, 10), 7);
  EXPECT_EQ(*map->number_or("ratio", 1), 0.5);
  EXPECT_EQ(*map->numbers_or("mean", {}), (std::vector<double>{1, 2.5}));
  EXPECT_EQ(*map->texts_or("tags", {}), (std::vector<std::string>{"a", "b"}));
  auto listen = map->map("listen");
  ASSERT_TRUE(listen);
  EXPECT_EQ(*listen->text("http"), "127.0.0.1:1");
  EXPECT_TRUE(listen->finish());
  auto shares = map->maps("shares");
  ASSERT_TRUE(shares);
  ASSERT_EQ(shares->size(), 2u);
  EXPECT_EQ(*(*shares)[1].text("name"), "y");
  EXPECT_EQ(*map->text_or("empty", "default"), "default");
  EXPECT_TRUE(map->finish());
}

TEST(Yaml, AbsentKeysHaveTheirDefaults) {
  auto map = YamlMap::parse("", "t.yaml");
  ASSERT_TRUE(map);
  EXPECT_EQ(*map->integer_or("a", 3, 0, 9), 3);
  EXPECT_TRUE(map->map("b")->maps("c")->empty());
  EXPECT_EQ(map->text("name").error().message(), "t.yaml: name: is required");
}

TEST(Yaml, ErrorsNameThePlace) {
  auto map = YamlMap::parse("shares:\n  - name: a\n    quite: 1s\n    quiet: soon\n", "t.yaml");
  ASSERT_TRUE(map);
  auto shares = map->maps("shares");
  auto& share = (*shares)[0];
  EXPECT_EQ(*share.text("name"), "a");
  EXPECT_EQ(share.duration_or("quiet", 1s).error().message(),
            "t.yaml:4:12: shares[0].quiet: 'soon' is not a duration; write 500ms, 10s, 2h");
  EXPECT_EQ(share.finish().error().message(),
            "t.yaml:3:5: shares[0].quite: is not a known key; did you mean 'quiet'?");
}

TEST(Yaml, RefusesWrongShapes) {
  EXPECT_EQ(YamlMap::parse("a: [", "t.yaml").error().code(), Code::invalid_argument);
  EXPECT_FALSE(YamlMap::parse("- a", "t.yaml"));
  EXPECT_FALSE(YamlMap::parse("a: 1\na: 2", "t.yaml"));
  auto map = YamlMap::parse("list: [1]\nnumber: 11\nflag: perhaps\nitems: [a]", "t.yaml");
  ASSERT_TRUE(map);
  EXPECT_FALSE(map->text("list"));
  EXPECT_FALSE(map->integer_or("number", 1, 0, 10));
  EXPECT_FALSE(map->flag_or("flag", true));
  EXPECT_FALSE(map->map("number"));
  EXPECT_FALSE(map->maps("items"));
  EXPECT_FALSE(map->maps("number"));
}

TEST(Nearest, SuggestsOnlyWhatIsClose) {
  EXPECT_EQ(nearest("stauts", {"status", "share"}), "status");
  EXPECT_EQ(nearest("xyz", {"status", "share"}), "");
}

}  // namespace
}  // namespace holdfast
