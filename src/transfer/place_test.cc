#include "transfer/place.h"

#include <gtest/gtest.h>

namespace holdfast::transfer {
namespace {

TEST(Places, AreReadAsWritten) {
  struct Row {
    std::string text, endpoint, account, container, blob, sas;
  };
  const Row rows[] = {
      {"blob://site1/ready", "", "site1", "ready", "", ""},
      {"blob://site1/ready/in/a b%.bin", "", "site1", "ready", "in/a b%.bin", ""},
      {"http://127.0.0.1:10000/site1/ready/a%20b?sv=1&sig=x%3D", "http://127.0.0.1:10000/site1",
       "site1", "ready", "a b", "sv=1&sig=x%3D"},
      {"https://press07.blob.core.windows.net/c/d/e", "https://press07.blob.core.windows.net",
       "press07", "c", "d/e", ""},
      {"https://hub.holdfast.internal:8443/site1/c", "https://hub.holdfast.internal:8443/site1",
       "site1", "c", "", ""},
  };
  for (const Row& row : rows) {
    const auto place = parse_place(row.text);
    ASSERT_TRUE(place) << row.text;
    EXPECT_FALSE(place->is_local());
    EXPECT_EQ(place->endpoint, row.endpoint);
    EXPECT_EQ(place->account, row.account);
    EXPECT_EQ(place->container, row.container);
    EXPECT_EQ(place->blob, row.blob);
    EXPECT_EQ(place->sas, row.sas);
  }
  EXPECT_EQ(parse_place("./blob:/x")->path, "./blob:/x");
}

TEST(Places, WrongOnesAreUsageAndTellNoSignature) {
  for (const char* text : {"", "blob://", "blob://site1", "blob:///c", "http://127.0.0.1:1/site1",
                           "http:///c?sig=secret", "http://127.0.0.1:1/a/c/%zz?sig=secret"}) {
    const auto place = parse_place(text);
    ASSERT_FALSE(place) << text;
    EXPECT_EQ(place.error().reason(), "usage") << text;
    EXPECT_EQ(place.error().message().find("secret"), std::string::npos) << text;
  }
  EXPECT_EQ(to_string(*parse_place("http://127.0.0.1:1/a/c/b?sig=secret")),
            "http://127.0.0.1:1/a/c/b");
}

}  // namespace
}  // namespace holdfast::transfer
