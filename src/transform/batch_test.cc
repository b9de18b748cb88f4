#include "transform/batch.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <boost/json.hpp>

#include <filesystem>

#include "base/files.h"

namespace holdfast::transform {
namespace {

class BatchTest : public ::testing::Test {
 protected:
  BatchTest() {
    char name[] = "/tmp/batch_test.XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~BatchTest() override { std::filesystem::remove_all(folder_); }

  static Batch two_rows() {
    Batch batch;
    batch.transform = "digits";
    batch.sequence = 7;
    batch.recipe_sha256 = "ab";
    batch.type = Type::uint8;
    batch.row_shape = {2};
    batch.created = *parse_rfc3339("2026-11-24T12:00:00.500Z");
    for (int i = 0; i < 2; ++i) {
      BatchRow row;
      row.event = "e" + std::to_string(i);
      row.file = "a/\"b\".png";
      row.sha256 = "cd";
      row.width = 3;
      row.height = 4;
      row.data = {static_cast<std::byte>(i), std::byte{9}};
      batch.rows.push_back(row);
    }
    return batch;
  }
  ino_t inode(const char* name) const {
    struct stat info{};
    stat((folder_ / name).c_str(), &info);
    return info.st_ino;
  }

  std::filesystem::path folder_;
};

TEST_F(BatchTest, WritesTensorAndManifest) {
  ASSERT_TRUE(write_batch(folder_, two_rows()));
  const auto tensor = from_npy(as_bytes(*read_file(folder_ / "digits-00000007.npy")));
  ASSERT_TRUE(tensor);
  EXPECT_EQ(tensor->shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(tensor->data, (Bytes{std::byte{0}, std::byte{9}, std::byte{1}, std::byte{9}}));
  const auto manifest = boost::json::parse(*read_file(folder_ / "digits-00000007.json"));
  EXPECT_EQ(manifest,
            boost::json::parse(
                R"({"transform":"digits","recipe_sha256":"ab","dtype":"uint8","shape":[2,2],
    "created":"2026-11-24T12:00:00.500Z","rows":[
      {"row":0,"event":"e0","file":"a/\"b\".png","sha256":"cd","width":3,"height":4},
      {"row":1,"event":"e1","file":"a/\"b\".png","sha256":"cd","width":3,"height":4}]})"));
}

TEST_F(BatchTest, AgainChangesNothingAndADamagedFileIsReplaced) {
  ASSERT_TRUE(write_batch(folder_, two_rows()));
  const ino_t npy = inode("digits-00000007.npy"), json = inode("digits-00000007.json");
  ASSERT_TRUE(write_batch(folder_, two_rows()));
  EXPECT_EQ(inode("digits-00000007.npy"), npy);
  EXPECT_EQ(inode("digits-00000007.json"), json);
  const std::string whole = *read_file(folder_ / "digits-00000007.npy");
  std::filesystem::resize_file(folder_ / "digits-00000007.npy", 30);
  ASSERT_TRUE(write_batch(folder_, two_rows()));
  EXPECT_EQ(*read_file(folder_ / "digits-00000007.npy"), whole);
  EXPECT_EQ(inode("digits-00000007.json"), json);
}

TEST_F(BatchTest, RefusesWhatIsNoBatch) {
  Batch batch = two_rows();
  batch.rows[1].data.pop_back();
  EXPECT_EQ(write_batch(folder_, batch).error().code(), Code::invalid_argument);
  batch.rows.clear();
  EXPECT_EQ(write_batch(folder_, batch).error().code(), Code::invalid_argument);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  EXPECT_EQ(write_batch(folder_ / "missing", two_rows()).error().code(), Code::not_found);
}

}  // namespace
}  // namespace holdfast::transform
