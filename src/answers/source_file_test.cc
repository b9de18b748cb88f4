#include "answers/source_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/digest.h"
#include "transform/testing.h"

namespace holdfast::answers {
namespace {

namespace fs = std::filesystem;

class SourceFile : public ::testing::Test {
 public:
  SourceFile() {
    char name[] = "/tmp/source_file_test.XXXXXX";
    folder_ = mkdtemp(name);
    fs::create_directories(folder_ / "share/sub");
  }
  ~SourceFile() override { fs::remove_all(folder_); }

  shares::FileEvent put(const std::string& path, const std::string& bytes) {
    std::ofstream(folder_ / "share" / path, std::ios::binary) << bytes;
    return event(path);
  }
  shares::FileEvent event(const std::string& path) {
    struct stat info{};
    stat((folder_ / "share" / path).c_str(), &info);
    shares::FileEvent event;
    event.id = "id";
    event.path = path;
    event.size = static_cast<uint64_t>(info.st_size);
    event.modified = WallTime(
        std::chrono::nanoseconds(info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec));
    return event;
  }
  Result<std::string> read(const shares::FileEvent& event) {
    return read_source(folder_ / "share", event);
  }

  fs::path folder_;
};

TEST_F(SourceFile, ReadsTheFileOfTheEvent) {
  EXPECT_EQ(*read(put("sub/a", "bytes")), "bytes");
  EXPECT_EQ(*read(put("empty", "")), "");
}

TEST_F(SourceFile, AnotherFileOfTheNameIsSuperseded) {
  const auto old = put("a", "one");
  put("a", "three");
  EXPECT_EQ(read(old).error().reason(), "superseded");
  fs::remove(folder_ / "share/a");
  EXPECT_EQ(read(old).error().code(), Code::not_found);
  EXPECT_EQ(read(old).error().reason(), "");
}

TEST_F(SourceFile, LeavesTheShareByNoWay) {
  std::ofstream(folder_ / "secret") << "secret";
  fs::create_symlink("../secret", folder_ / "share/link");
  fs::create_directory_symlink("..", folder_ / "share/up");
  for (const char* path :
       {"link", "up/secret", "../secret", "sub/../../secret", "/etc/passwd", ""}) {
    const auto got = read(event(path));
    ASSERT_FALSE(got) << path;
  }
  EXPECT_EQ(read(event("link")).error().reason(), "not_a_file");
  EXPECT_EQ(read(event("sub")).error().reason(), "not_a_file");
  mkfifo((folder_ / "share/pipe").c_str(), 0600);
  EXPECT_EQ(read(event("pipe")).error().reason(), "not_a_file") << "and it does not hang";
}

TEST_F(SourceFile, ALargeFileIsRefusedUnread) {
  put("large", "");
  fs::resize_file(folder_ / "share/large", kMaxFile + 1);
  EXPECT_EQ(read(event("large")).error().reason(), "file_too_large");
}

TEST_F(SourceFile, Prepares) {
  const auto recipe = transform::parse_recipe(
      "steps: [{decode: {color: gray}}, {resize: {width: 2, height: 2}}]", "r");
  ASSERT_TRUE(recipe);
  const std::string png = transform::testing::png(8, 4, {0, 8});
  const auto row = prepare(folder_ / "share", put("a.png", png), *recipe);
  ASSERT_TRUE(row) << row.error().message();
  EXPECT_EQ(row->sha256, sha256_hex(as_bytes(png)));
  EXPECT_EQ(row->width, 8u);
  EXPECT_EQ(row->height, 4u);
  const auto bad = prepare(folder_ / "share", put("b.png", "text"), *recipe);
  EXPECT_EQ(bad.error().reason(), "not_an_image");
}

TEST(FileAtFault, TellsTheFileFromTheMachine) {
  EXPECT_TRUE(file_at_fault(Error(Code::invalid_argument, "broken_image", "")));
  EXPECT_TRUE(file_at_fault(Error(Code::too_large, "")));
  EXPECT_TRUE(file_at_fault(Error(Code::unsupported, "")));
  EXPECT_TRUE(file_at_fault(Error(Code::denied, "not_a_file", "")));
  EXPECT_FALSE(file_at_fault(Error(Code::denied, "no permission")));
  EXPECT_FALSE(file_at_fault(Error(Code::not_found, "")));
  EXPECT_FALSE(file_at_fault(Error(Code::unavailable, "")));
  EXPECT_FALSE(file_at_fault(Error(Code::internal, "")));
}

}  // namespace
}  // namespace holdfast::answers
