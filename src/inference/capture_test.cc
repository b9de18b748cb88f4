#include "inference/capture.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <boost/json.hpp>

namespace holdfast::inference {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

class CaptureTest : public ::testing::Test {
 public:
  CaptureTest() {
    char name[] = "/tmp/capture_test.XXXXXX";
    options_.directory = mkdtemp(name);
    options_.agent = "holdfast-serve/9";
    loaded_.name = "digits";
    loaded_.version = 3;
    loaded_.digest = "sha256:ab";
  }
  ~CaptureTest() override { fs::remove_all(options_.directory); }

  // Captures requests of these values, and ends.
  std::string capture(const std::vector<std::vector<float>>& requests) {
    auto opened = Capture::open(options_, clock_);
    EXPECT_TRUE(opened);
    RunOptions run;
    run.id = id_;
    for (const auto& values : requests) {
      TensorView view{.name = "x", .shape = {1, static_cast<int64_t>(values.size())}};
      view.data = std::as_bytes(std::span(values));
      const Tensor label{
          .name = "label", .type = Datatype::bytes, .shape = {2}, .texts = {"good", "\xff"}};
      (*opened)->answered(loaded_, {view}, {label}, run);
    }
    std::string metrics = (*opened)->metrics();
    opened->reset();
    return metrics;
  }
  std::vector<json::object> lines() const {
    std::vector<json::object> out;
    for (const std::string& name : names()) {
      const std::string text = *read_file(options_.directory + "/" + name, 1 << 20);
      for (const auto& line : split(text, '\n'))
        if (!line.empty()) out.push_back(json::parse(line).as_object());
    }
    return out;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(options_.directory))
      out.push_back(entry.path().filename());
    std::ranges::sort(out);
    return out;
  }

 protected:
  CaptureOptions options_;
  std::string_view id_ = "r\"1";
  FakeClock clock_;
  Loaded loaded_;
};

TEST_F(CaptureTest, TwoLinesARequest) {
  capture({{1.5F, 2}});
  const auto rows = lines();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_TRUE(names()[0].starts_with("capture-20231114T221320-")) << names()[0];
  EXPECT_EQ(rows[0].at("type"), "azureml.inference.model_inputs");
  EXPECT_EQ(rows[1].at("type"), "azureml.inference.model_outputs");
  EXPECT_EQ(rows[0].at("correlationid"), rows[1].at("correlationid"));
  EXPECT_NE(rows[0].at("id"), rows[1].at("id"));
  EXPECT_EQ(rows[0].at("xrequestid"), "r\"1");
  EXPECT_EQ(rows[0].at("agent"), "holdfast-serve/9");
  EXPECT_EQ(rows[0].at("contentrange"), "bytes 0-60/61");
  EXPECT_EQ(rows[0].at("id").as_string().size(), 36U) << "a UUID, as theirs";
  EXPECT_EQ(rows[0].at("modelversion"), "3");
  EXPECT_EQ(rows[0].at("time"), "2023-11-14T22:13:20.000000Z");
  EXPECT_EQ(rows[0].at("data"),
            json::parse(R"([{"name":"x","datatype":"FP32","shape":[1,2],"data":[1.5,2]}])"));
  EXPECT_EQ(
      rows[1].at("data"),
      json::parse(
          R"([{"name":"label","datatype":"BYTES","shape":[2],"data_base64":["Z29vZA==","/w=="]}])"));
}

TEST_F(CaptureTest, WhoNamesNoRequestGetsTheCorrelation) {
  id_ = "";
  capture({{1}});
  const auto rows = lines();
  EXPECT_EQ(rows[0].at("xrequestid"), rows[0].at("correlationid"));
  EXPECT_EQ(rows[1].at("xrequestid"), rows[0].at("correlationid"));
}

TEST_F(CaptureTest, LargeTensorsAreSummarised) {
  options_.tensor = 8;
  capture({{1, -2, 4, std::numeric_limits<float>::infinity()}});
  EXPECT_EQ(lines()[0].at("data").at(0).at("summary"),
            json::parse(R"({"count":4,"min":-2,"max":4,"mean":1})"));
}

TEST_F(CaptureTest, FilesAreClosedWithTheirLines) {
  options_.lines = 4;
  capture(std::vector<std::vector<float>>(5, {1.0F}));
  EXPECT_EQ(lines().size(), 10U);
  EXPECT_EQ(names().size(), 3U);
}

TEST_F(CaptureTest, NeitherDiskNorMemoryIsExceeded) {
  options_.disk = 1;
  capture({{1}});
  ASSERT_EQ(names().size(), 1U) << "the first finds an empty directory";
  capture({{2}});
  EXPECT_EQ(names().size(), 1U);
  options_.disk = 1 << 20;
  options_.memory = 0;
  EXPECT_NE(capture({{3}}).find("capture_dropped_total 1"), std::string::npos);
  EXPECT_EQ(names().size(), 1U);
}

TEST_F(CaptureTest, OnlyTheModelsThatAreNamed) {
  options_.models = {"other"};
  capture({{1}});
  EXPECT_TRUE(names().empty());
}

}  // namespace
}  // namespace holdfast::inference
