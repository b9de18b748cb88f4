#include "transfer/part_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/digest.h"

namespace holdfast::transfer {
namespace {

namespace fs = std::filesystem;

struct PartFiles : testing::Test {
  fs::path root, target;
  void SetUp() override {
    char name[] = "/tmp/transfer_part.XXXXXX";
    root = ::mkdtemp(name);
    target = root / "file";
  }
  void TearDown() override { fs::remove_all(root); }
  size_t files() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(root), fs::directory_iterator()));
  }
  Result<PartFile> open(const std::string& etag = "0x1") const {
    return PartFile::open(target, etag, 10, 4);
  }
  static void put(PartFile& part, uint64_t index, std::string_view text) {
    ASSERT_TRUE(part.write(as_bytes(text), index * 4));
    ASSERT_TRUE(part.finish_piece(index));
  }
};

std::string md5(std::string_view text) {
  return base64(as_bytes(hash(HashKind::md5, as_bytes(text))));
}

TEST_F(PartFiles, PiecesOfSeveralRunsBecomeTheFile) {
  {
    auto first = open();
    ASSERT_TRUE(first);
    put(*first, 2, "89");
    put(*first, 0, "0123");
    ASSERT_TRUE(first->write(as_bytes("xx"), 4));  // cut in the middle of a piece
  }
  EXPECT_FALSE(fs::exists(target));
  auto second = open();
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->has(0) && !second->has(1) && second->has(2));
  EXPECT_EQ(second->bytes(), 6u);
  put(*second, 1, "4567");
  ASSERT_TRUE(second->become_target(md5("0123456789")));
  EXPECT_EQ(read_file(target).value(), "0123456789");
  EXPECT_EQ(files(), 1u);
}

TEST_F(PartFiles, AnotherContentBeginsAnew) {
  {
    auto first = open();
    put(*first, 0, "0123");
  }
  auto other = open("0x2");
  ASSERT_TRUE(other);
  EXPECT_EQ(other->bytes(), 0u);
}

TEST_F(PartFiles, ATornLineOfTheListCountsNothing) {
  {
    auto first = open();
    put(*first, 0, "0123");
  }
  for (const auto& file : fs::directory_iterator(root)) {
    if (file.path().string().ends_with(".done"))
      std::ofstream(file.path(), std::ios::app) << "99999\nrubbish\n1";  // no end of line
  }
  auto again = open();
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->has(0) && !again->has(1));
}

TEST_F(PartFiles, DamageIsNeverTheFile) {
  auto part = open();
  put(*part, 0, "0123");
  put(*part, 1, "4567");
  put(*part, 2, "8x");
  EXPECT_EQ(part->become_target(md5("0123456789")).error().reason(), "damaged");
  EXPECT_EQ(files(), 0u);
}

TEST_F(PartFiles, TwoRunsDoNotMix) {
  auto part = open();
  EXPECT_EQ(open().error().code(), Code::conflict);
}

}  // namespace
}  // namespace holdfast::transfer
