#include "base/digest.h"

#include <gtest/gtest.h>

#include <set>

namespace holdfast {
namespace {

TEST(Digest, KnownVectors) {
  EXPECT_EQ(sha256_hex(as_bytes("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(as_bytes(hash(HashKind::md5, as_bytes("abc")))),
            "900150983cd24fb0d6963f7d28e17f72");
  // RFC 4231, test case 2.
  EXPECT_EQ(hex(as_bytes(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?")))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(crc32(as_bytes("123456789")), 0xcbf43926u);
}

TEST(Digest, PiecesEqualTheWhole) {
  Hasher hasher(HashKind::sha256);
  hasher.update(as_bytes("a"));
  hasher.update(as_bytes("bc"));
  EXPECT_EQ(hasher.finish(), hash(HashKind::sha256, as_bytes("abc")));
  EXPECT_EQ(crc32(as_bytes("6789"), crc32(as_bytes("12345"))), crc32(as_bytes("123456789")));
}

TEST(Random, UuidsHaveTheirFormAndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string uuid = random_uuid();
    ASSERT_EQ(uuid.size(), 36u);
    EXPECT_EQ(uuid[14], '4');
    EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos);
    EXPECT_TRUE(seen.insert(uuid).second);
  }
}

TEST(ConstantTime, ComparesByValue) {
  EXPECT_TRUE(equal_constant_time("secret", "secret"));
  EXPECT_FALSE(equal_constant_time("secret", "secreT"));
  EXPECT_FALSE(equal_constant_time("secret", "secret!"));
  EXPECT_TRUE(equal_constant_time("", ""));
}

}  // namespace
}  // namespace holdfast
