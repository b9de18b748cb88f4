#include "base/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/digest.h"

namespace holdfast {
namespace {

namespace fs = std::filesystem;

struct Files : testing::Test {
  fs::path dir = fs::temp_directory_path() / ("files_test." + hex(as_bytes(random_bytes(6))));
  void SetUp() override { fs::create_directory(dir); }
  void TearDown() override { fs::remove_all(dir); }
};

TEST_F(Files, ReplaceIsWholeAndLeavesNothingBehind) {
  ASSERT_TRUE(replace_file(dir / "a", as_bytes("one"), 0600));
  ASSERT_TRUE(replace_file(dir / "a", as_bytes("two"), 0600));
  EXPECT_EQ(*read_file(dir / "a"), "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(dir), fs::directory_iterator()), 1);
  struct stat info{};
  ASSERT_EQ(::stat((dir / "a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(Files, ReplaceFailsCleanly) {
  fs::create_directory(dir / "a");
  EXPECT_FALSE(replace_file(dir / "a", as_bytes("x")));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir), fs::directory_iterator()), 1);
  EXPECT_EQ(replace_file(dir / "none" / "a", as_bytes("x")).error().code(), Code::not_found);
}

TEST_F(Files, ReadIsBounded) {
  ASSERT_TRUE(replace_file(dir / "a", as_bytes("12345")));
  EXPECT_EQ(read_file(dir / "a", 4).error().code(), Code::too_large);
  EXPECT_EQ(*read_file(dir / "a", 5), "12345");
  EXPECT_EQ(read_file(dir / "b").error().code(), Code::not_found);
  EXPECT_EQ(read_file(dir).error().code(), Code::invalid_argument);
}

TEST_F(Files, ReadExactNoticesAShortFile) {
  ASSERT_TRUE(replace_file(dir / "a", as_bytes("12345")));
  auto fd = open_file(dir / "a", O_RDONLY);
  ASSERT_TRUE(fd);
  std::byte buffer[4];
  ASSERT_TRUE(read_exact(fd->get(), buffer, 1));
  EXPECT_EQ(as_text(buffer), "2345");
  EXPECT_EQ(read_exact(fd->get(), buffer, 2).error().code(), Code::internal);
}

TEST_F(Files, MakeDirectoriesIsIdempotent) {
  ASSERT_TRUE(make_directories(dir / "x/y/z"));
  ASSERT_TRUE(make_directories(dir / "x/y/z"));
  EXPECT_TRUE(fs::is_directory(dir / "x/y/z"));
  ASSERT_TRUE(replace_file(dir / "file", as_bytes("x")));
  EXPECT_FALSE(make_directories(dir / "file"));
  EXPECT_FALSE(make_directories(dir / "file/below"));
}

TEST_F(Files, DataDirectoryIsClaimedOnce) {
  ASSERT_TRUE(claim_data_directory(dir / "d", "hub", 1));
  ASSERT_TRUE(claim_data_directory(dir / "d", "hub", 1));
  EXPECT_EQ(claim_data_directory(dir / "d", "hub", 2).error().code(), Code::unsupported);
  EXPECT_EQ(claim_data_directory(dir / "d", "edge", 1).error().code(), Code::unsupported);
}

TEST(Paths, SafeOnes) {
  for (const char* good : {"a", "a b", ".a", "..a", "a/b.c", "ü"})
    EXPECT_TRUE(safe_relative_path(good)) << good;
  for (const char* bad : {"", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b"})
    EXPECT_FALSE(safe_relative_path(bad)) << bad;
  EXPECT_FALSE(safe_component(std::string_view("a\0b", 3)));
  EXPECT_FALSE(safe_component(std::string(256, 'a')));
}

}  // namespace
}  // namespace holdfast
