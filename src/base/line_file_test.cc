#include "base/line_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>

namespace holdfast {
namespace {

namespace fs = std::filesystem;

class LineFileTest : public ::testing::Test {
 public:
  LineFileTest() {
    char name[] = "/tmp/line_file_test.XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~LineFileTest() override { fs::remove_all(folder_); }

  static std::string line(const std::string& id) {
    return R"({"id":")" + id + R"(","outputs":{"label":3}})";
  }
  Result<LineFile> open() const {
    return LineFile::open(folder_ / "answers", "answers", "digits", clock_);
  }
  // Names in the folder, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder_ / "answers"))
      out.push_back(entry.path().filename());
    std::sort(out.begin(), out.end());
    return out;
  }
  std::string text(const std::string& name) const { return *read_file(folder_ / "answers" / name); }

  fs::path folder_;
  FakeClock clock_;
};

TEST_F(LineFileTest, AppendsAndCloses) {
  auto file = open();
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_FALSE(file->is_open());
  ASSERT_TRUE(file->append({line("a"), line("b")}, {"a", "b"}));
  ASSERT_TRUE(file->append({line("c")}, {"c"}));
  EXPECT_EQ(file->lines(), 3u);
  EXPECT_TRUE(file->answered("b"));
  ASSERT_EQ(names().size(), 1u);
  EXPECT_TRUE(names()[0].starts_with(".answers-20231114T221320-")) << names()[0];
  EXPECT_TRUE(names()[0].ends_with(".jsonl.open"));
  ASSERT_TRUE(file->close());
  ASSERT_EQ(names().size(), 1u);
  EXPECT_TRUE(names()[0].starts_with("answers-20231114T221320-"));
  EXPECT_EQ(names()[0].size(), std::string("answers-20231114T221320-01234567.jsonl").size());
  EXPECT_EQ(text(names()[0]), line("a") + "\n" + line("b") + "\n" + line("c") + "\n");
  EXPECT_FALSE(file->answered("b"));
  ASSERT_TRUE(file->close()) << "again: nothing";
}

TEST_F(LineFileTest, EveryCutOfTheLastLineIsTakenUp) {
  std::string whole, name;
  {
    auto file = open();
    ASSERT_TRUE(file->append({line("a"), line("b")}, {"a", "b"}));
    name = names()[0];
    whole = text(name);
  }
  const size_t before_last = line("a").size() + 1;
  for (size_t size = before_last; size <= whole.size(); ++size) {
    std::ofstream(folder_ / "answers" / name, std::ios::binary | std::ios::trunc)
        << whole.substr(0, size);
    auto file = open();
    ASSERT_TRUE(file) << file.error().message();
    EXPECT_TRUE(file->answered("a")) << size;
    EXPECT_EQ(file->answered("b"), size == whole.size()) << size;
    EXPECT_EQ(file->opened(), WallTime(std::chrono::seconds(1'700'000'000)));
    if (!file->answered("b")) ASSERT_TRUE(file->append({line("b")}, {"b"}));
    EXPECT_EQ(text(name), whole) << "each line is there once, whatever was cut";
  }
}

TEST_F(LineFileTest, GarbageAfterTheDurableLinesIsCutOff) {
  std::string name;
  {
    auto file = open();
    ASSERT_TRUE(file->append({line("a")}, {"a"}));
    name = names()[0];
  }
  std::ofstream(folder_ / "answers" / name, std::ios::app)
      << std::string(5, '\0') << "\nnot json\n";
  auto file = open();
  ASSERT_TRUE(file);
  EXPECT_EQ(file->ids(), (std::set<std::string>{"a"}));
  EXPECT_EQ(text(name), line("a") + "\n");
}

TEST_F(LineFileTest, LeftoversCloseUnderTheirOwnNames) {
  fs::create_directories(folder_ / "answers");
  {
    auto file = open();
    ASSERT_TRUE(file->append({line("a")}, {"a"}));
  }
  const std::string first = names()[0];
  std::string second = first;
  second.replace(second.find("T2213"), 5, "T2214");
  std::ofstream(folder_ / "answers" / second) << line("b") << "\n";
  auto file = open();
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->answered("a"));
  EXPECT_TRUE(file->answered("b"));
  EXPECT_EQ(file->ids().size(), 2u);
  ASSERT_TRUE(file->close());
  EXPECT_EQ(names().size(), 2u);
  for (const std::string& name : names()) EXPECT_TRUE(name.starts_with("answers-"));
}

TEST_F(LineFileTest, FlowsOfOneFolderKeepApart) {
  auto digits = open();
  ASSERT_TRUE(digits->append({line("a")}, {"a"}));
  auto other = LineFile::open(folder_ / "answers", "answers", "other", clock_);
  ASSERT_TRUE(other);
  EXPECT_FALSE(other->answered("a"));
  EXPECT_FALSE(other->is_open());
}

TEST_F(LineFileTest, AFullDiskIsAnErrorAndTheFileStaysWhole) {
  auto file = open();
  ASSERT_TRUE(file->append({line("a")}, {"a"}));
  const std::string name = names()[0];
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  signal(SIGXFSZ, SIG_IGN);
  const rlimit small{line("a").size() + 5, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const auto failed = file->append({line("b")}, {"b"});
  setrlimit(RLIMIT_FSIZE, &old);
  ASSERT_FALSE(failed);
  EXPECT_FALSE(file->answered("b"));
  ASSERT_TRUE(file->append({line("c")}, {"c"}));
  EXPECT_EQ(text(name), line("a") + "\n" + line("c") + "\n");
}

TEST(IdOfLine, ReadsOurLinesOnly) {
  EXPECT_EQ(id_of_line(R"({"id":"x"})"), "x");
  for (const char* bad : {"", "{", "[]", R"({"id":1})", R"({"no":"id"})",
                          R"({"id":"x"} )"
                          "y"})
    EXPECT_EQ(id_of_line(bad), "");
}

}  // namespace
}  // namespace holdfast
