#include "transfer/tree.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace holdfast::transfer {
namespace {

namespace fs = std::filesystem;

struct Trees : testing::Test {
  fs::path root;
  void SetUp() override {
    char name[] = "/tmp/transfer_tree.XXXXXX";
    root = ::mkdtemp(name);
  }
  void TearDown() override { fs::remove_all(root); }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((root / name).parent_path());
    std::ofstream(root / name) << text;
  }
};

TEST_F(Trees, ListFilesByName) {
  for (const char* name : {"b.txt", "a/ü 1", "a/b/c", "a.txt"}) write(name, name);
  write(std::string("a/.x") + std::string(kPartEnding), "cut");
  write("bad\xff", "x");
  write("back\\slash", "x");
  fs::create_symlink("b.txt", root / "link");
  fs::create_directories(root / "empty");
  const auto tree = read_tree(root);
  ASSERT_TRUE(tree);
  std::vector<std::string> names;
  for (const Entry& entry : tree->files) names.push_back(entry.name);
  EXPECT_EQ(names, (std::vector<std::string>{"a.txt", "a/b/c", "a/ü 1", "b.txt"}));
  EXPECT_EQ(tree->files[2].size, 6u);
  EXPECT_EQ(tree->left_out.size(), 3u);
  EXPECT_EQ(read_tree(root / "none").error().code(), Code::not_found);
}

TEST_F(Trees, HashAFile) {
  write("x", "data");
  EXPECT_EQ(md5_of(root / "x").value(), "jXd/OF09/siBXSD3SWAm3A==");
  EXPECT_EQ(md5_of(root / "none").error().code(), Code::not_found);
}

TEST(FileNames, NeverLeadOut) {
  for (const char* good : {"a", "a/b", "..a/b..", "a b/ü"})
    EXPECT_TRUE(check_file_name(good)) << good;
  const std::vector<std::string> wrong = {"",     "/etc/passwd", "..", "a/../b",
                                          "a//b", "a/",          ".",  std::string("a\0b", 3)};
  for (const std::string& bad : wrong) EXPECT_FALSE(check_file_name(bad)) << bad;
}

TEST(Utf8, IsStrict) {
  for (const char* good : {"", "abc", "ü", "日本", "🐙"}) EXPECT_TRUE(is_utf8(good));
  for (const char* bad :
       {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\xaf"})
    EXPECT_FALSE(is_utf8(bad));
}

}  // namespace
}  // namespace holdfast::transfer
