#include "device_wire/sas.h"

#include <gtest/gtest.h>

#include "base/digest.h"

namespace holdfast::device_wire {
namespace {

const std::string kKey = base64(as_bytes("a key of thirty-two bytes, fixed"));

// As a client makes it: `sr` goes in as it is written.
std::string token(const std::string& sr, const std::string& key = kKey,
                  const std::string& se = "1700000600") {
  const std::string raw = from_base64(key).value();
  const std::string sig = hmac_sha256(as_bytes(raw), as_bytes(sr + "\n" + se));
  return "SharedAccessSignature sr=" + sr + "&sig=" + percent_encode(base64(as_bytes(sig))) +
         "&se=" + se;
}

Result<void> check(const std::string& text, std::vector<std::string> keys = {kKey}) {
  const FakeClock clock;  // 1,700,000,000
  TRY(const SasToken parsed, parse_sas(text));
  return verify_sas(parsed, keys, clock);
}

TEST(DeviceSas, EverySpellingOfTheResourceIsVerifiedAsReceived) {
  for (const char* sr : {"hub.local%2Fdevices%2Fd",   // Python
                         "hub.local/devices/d",       // C with a device key
                         "hub.local%2fdevices%2fd"})  // C in an edge module
  {
    EXPECT_TRUE(check(token(sr))) << sr;
    const auto parsed = parse_sas(token(sr));
    EXPECT_TRUE(same_resource(parsed->resource, resource_of("hub.local", {"d", ""}))) << sr;
  }
  // A signature is good for its own spelling alone.
  std::string other = token("hub.local%2Fdevices%2Fd");
  other.replace(other.find("%2F"), 3, "/");
  EXPECT_FALSE(check(other));
}

TEST(DeviceSas, FieldsComeInAnyOrder) {
  const auto made = make_sas("hub.local/devices/d", kKey,
                             WallTime(std::chrono::seconds(1'700'000'600)), "iothubowner");
  ASSERT_TRUE(made);
  EXPECT_TRUE(check(*made));
  std::vector<std::string_view> parts = split(std::string_view(*made).substr(22), '&');
  std::string turned;
  for (auto it = parts.rbegin(); it != parts.rend(); ++it)
    turned += (turned.empty() ? "" : "&") + std::string(*it);
  EXPECT_TRUE(turned.starts_with("skn="));
  EXPECT_TRUE(check("SharedAccessSignature " + turned));
  EXPECT_EQ(parse_sas(turned)->policy, "iothubowner");
}

TEST(DeviceSas, AKnownSignature) {
  // Made with Python's hmac: base64(HMAC-SHA256(key, "hub.local%2Fdevices%2Fd\n1700000600")).
  const auto made =
      make_sas("hub.local/devices/d", kKey, WallTime(std::chrono::seconds(1'700'000'600)));
  EXPECT_EQ(*made,
            "SharedAccessSignature "
            "sr=hub.local%2Fdevices%2Fd&sig=gkenCSS1%2FiVtWYZjX1%2FdnkjJkQeV0b%2Fum185Q7KkVVA%3D&"
            "se=1700000600");
}

TEST(DeviceSas, EitherKeyMaySignAndOthersNot) {
  const std::string second = base64(as_bytes("another key of thirty-two bytes."));
  const std::string third = base64(as_bytes("a third key, that nobody knows.."));
  const std::string sr = "hub.local%2Fdevices%2Fd";
  EXPECT_TRUE(check(token(sr, second), {kKey, second}));
  EXPECT_EQ(check(token(sr, third), {kKey, second}).error().code(), Code::unauthenticated);
  EXPECT_FALSE(check(token(sr), {"", "not base64"}));
  EXPECT_FALSE(check(token(sr), {}));
}

TEST(DeviceSas, ExpiryWithSkew) {
  const std::string sr = "hub.local%2Fdevices%2Fd";
  EXPECT_TRUE(check(token(sr, kKey, "1699999701")));  // 299 s ago
  const auto late = check(token(sr, kKey, "1699999700"));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().reason(), "token_expired");
}

TEST(DeviceSas, BadTokens) {
  const std::string good = token("hub.local%2Fdevices%2Fd");
  for (const std::string& bad :
       {std::string(), std::string("SharedAccessSignature "), std::string("sr=a&sig=b"),
        good + "&se=1", good + "&x=1", good + "&", std::string("sr=a&sig=%zz&se=1"),
        std::string("sr=a&sig=!!&se=1"), std::string("sr=a&sig=YQ%3D%3D&se=x"),
        std::string("sr=a&sig=YQ%3D%3D&se=99999999999999999999"), std::string("Bearer abc")})
    EXPECT_FALSE(parse_sas(bad)) << bad;
  EXPECT_FALSE(make_sas("r", "not base64!", WallTime()));
}

TEST(DeviceSas, Resources) {
  EXPECT_EQ(resource_of("h", {"d", "m"}), "h/devices/d/modules/m");
  EXPECT_TRUE(same_resource("HUB.local/devices/D/", "hub.LOCAL/devices/d"));
  EXPECT_TRUE(covers("h", "h/devices/d"));
  EXPECT_TRUE(covers("h/devices/d", "H/devices/d/modules/m"));
  EXPECT_FALSE(covers("h/devices/d", "h/devices/d2"));
  EXPECT_FALSE(covers("h/devices/d/modules/m", "h/devices/d"));
}

}  // namespace
}  // namespace holdfast::device_wire
