#include "identity/api_keys.h"

#include <gtest/gtest.h>

namespace holdfast::identity {
namespace {

TEST(ApiKeys, NamesWhoseKeyItIs) {
  const auto keys = ApiKeys::parse(
      "# presses\npress-07 reader 0123456789abcdef\n\nops   admin fedcba9876543210  # since May\n",
      "keys");
  ASSERT_TRUE(keys) << keys.error().message();
  EXPECT_EQ(keys->find("0123456789abcdef")->name, "press-07");
  EXPECT_EQ(keys->find("fedcba9876543210")->role, "admin");
  EXPECT_FALSE(keys->find("0123456789abcdeF"));
  EXPECT_FALSE(keys->find("0123456789abcde"));
  EXPECT_FALSE(keys->find(""));
}

TEST(ApiKeys, TellsWhichLineIsWrongAndNoKey) {
  for (const auto& [text, what] : std::initializer_list<std::pair<const char*, const char*>>{
           {"a reader 0123456789abcdef\nb reader\n", "keys:2: a line is NAME ROLE KEY"},
           {"a king 0123456789abcdef", "keys:1: the role 'king'"},
           {"a reader short-secret", "keys:1: the key is shorter"},
           {"# nothing\n", "keys: there is no key"}}) {
    const auto keys = ApiKeys::parse(text, "keys");
    ASSERT_FALSE(keys) << text;
    EXPECT_EQ(keys.error().code(), Code::invalid_argument);
    EXPECT_EQ(keys.error().message().find(what), 0u) << keys.error().message();
    EXPECT_EQ(keys.error().message().find("short-secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace holdfast::identity
