#include "inference/drift/monitor.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>

#include "base/files.h"
#include "inference/drift/drift_testing.h"
#include "inference/fake_engine.h"

namespace holdfast::inference {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

class DriftMonitorTest : public ::testing::Test {
 public:
  DriftMonitorTest() {
    char name[] = "/tmp/drift_test.XXXXXX";
    folder_ = mkdtemp(name);
    options_.state_file = folder_ + "/drift.json";
    options_.directory = folder_ + "/events";
    options_.limits.window = 200;
    loaded_.name = "digits";
    loaded_.version = 3;
    loaded_.digest = "sha256:ab";
    loaded_.profile.set(normal_profile());
    open();
  }
  ~DriftMonitorTest() override {
    monitor_.reset();
    fs::remove_all(folder_);
  }

 protected:
  void open() {
    monitor_.reset();
    auto opened = DriftMonitor::open(options_, clock_);
    ASSERT_TRUE(opened) << opened.error().message();
    monitor_ = std::move(*opened);
  }
  // Windows of such rows; the monitor has looked at them when it is open again.
  void windows(int count, float mean) {
    for (int i = 0; i < count; ++i) {
      const auto [inputs, outputs] = live_.request(200, mean);
      monitor_->answered(loaded_, views_of(inputs), outputs, {});
    }
    open();
  }
  std::vector<json::object> events() const {
    std::vector<json::object> out;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(options_.directory, error)) {
      const std::string text = *read_file(entry.path());
      EXPECT_EQ(std::ranges::count(text, '\n'), 1);
      out.push_back(json::parse(text).as_object());
    }
    return out;
  }
  std::string name() const { return fs::directory_iterator(options_.directory)->path().filename(); }
  json::object state() const { return json::parse(*read_file(options_.state_file)).as_object(); }
  bool drifting() const { return !monitor_->status(loaded_).event.empty(); }

  std::string folder_;
  DriftOptions options_;
  FakeClock clock_;
  Loaded loaded_;
  Rows live_{3};
  std::unique_ptr<DriftMonitor> monitor_;
};

TEST_F(DriftMonitorTest, OneEventUntilItIsCalmAgain) {
  windows(3, 0);
  EXPECT_TRUE(events().empty());
  EXPECT_FALSE(fs::exists(options_.state_file)) << "nothing is written while nothing happens";
  windows(2, 1);
  ASSERT_EQ(events().size(), 1u);
  const json::object event = events()[0];
  EXPECT_EQ(event.at("type"), "holdfast.inference.drift");
  EXPECT_EQ(event.at("source"), "/models/digits/versions/3");
  EXPECT_FALSE(event.at("data").as_object().contains("device")) << "it is none's";
  EXPECT_EQ(event.at("time"), "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(event.at("data").at("features").as_array().size(), 2u);
  EXPECT_GT(event.at("data").at("features").at(0).at("psi").to_number<double>(), 0.2);
  const std::string id(event.at("id").as_string());
  EXPECT_EQ(name(), "drift-digits-20231114T221320-" + id.substr(0, 8) + ".jsonl");
  EXPECT_EQ(monitor_->status(loaded_).event, id) << "also in the next life";
  windows(2, 1);
  EXPECT_EQ(events().size(), 1u) << "it goes on";
  windows(1, 0.42F);
  EXPECT_TRUE(drifting()) << "near the limits it is neither over nor calm";
  EXPECT_EQ(events().size(), 1u);
  windows(1, 0);
  EXPECT_FALSE(drifting());
  windows(1, 1);
  EXPECT_EQ(events().size(), 2u) << "it has begun anew";
}

TEST_F(DriftMonitorTest, TheEventNamesItsDevice) {
  options_.device = "press 07";
  open();
  windows(1, 1);
  ASSERT_EQ(events().size(), 1u);
  EXPECT_EQ(events()[0].at("data").at("device"), "press 07");
  EXPECT_EQ(events()[0].at("source"), "/devices/press%2007/models/digits/versions/3");
}

TEST_F(DriftMonitorTest, WhatWasDecidedIsWrittenInTheNextLife) {
  std::ofstream(options_.directory) << "no directory";
  windows(1, 1);
  EXPECT_TRUE(drifting());
  const json::object before = state().at("drifting").at(0).as_object();
  EXPECT_FALSE(before.at("line").as_string().empty());
  fs::remove(options_.directory);
  open();
  ASSERT_EQ(events().size(), 1u);
  EXPECT_EQ(events()[0].at("id"), before.at("id"));
  EXPECT_EQ(name(), std::string(before.at("file").as_string()));
  EXPECT_TRUE(state().at("drifting").at(0).at("line").as_string().empty());
  // Killed between the two: the same file once more.
  json::object again;
  again["drifting"] = json::array{before};
  monitor_.reset();
  std::ofstream(options_.state_file) << json::serialize(again);
  open();
  EXPECT_EQ(events().size(), 1u);
}

TEST_F(DriftMonitorTest, ADirectoryThatIsFullWaits) {
  fs::create_directories(options_.directory);
  for (int i = 0; i < 1000; ++i)
    std::ofstream(options_.directory + "/drift-x-" + std::to_string(i) + ".jsonl") << "{}\n";
  windows(1, 1);
  EXPECT_EQ(events().size(), 1000u);
  fs::remove(options_.directory + "/drift-x-0.jsonl");
  open();
  EXPECT_EQ(events().size(), 1000u);
  EXPECT_TRUE(state().at("drifting").at(0).at("line").as_string().empty());
}

TEST_F(DriftMonitorTest, ADamagedStateIsSaid) {
  monitor_.reset();
  for (const char* text : {"{", "{}", R"({"drifting":[1]})",
                           R"({"drifting":[{"model":"m","version":1,"model_digest":"a",
                              "profile_digest":"b","id":"i","since":"s","file":"../x"}]})"}) {
    std::ofstream(options_.state_file) << text;
    const auto opened = DriftMonitor::open(options_, clock_);
    ASSERT_FALSE(opened) << text;
    EXPECT_EQ(opened.error().code(), Code::invalid_argument);
  }
}

TEST_F(DriftMonitorTest, OnlyModelsWithAProfileAndNoMoreThanFits) {
  const auto [inputs, outputs] = live_.request(10);
  Loaded plain;
  plain.name = "plain";
  monitor_->answered(plain, views_of(inputs), outputs, {});
  options_.memory = 0;
  open();
  monitor_->answered(loaded_, views_of(inputs), outputs, {});
  const std::string metrics = monitor_->metrics();
  EXPECT_NE(metrics.find("holdfast_drift_dropped_total 1\n"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("holdfast_drift_rows_total 0\n"), std::string::npos);
}

TEST_F(DriftMonitorTest, AnotherProfileBeginsAnew) {
  windows(1, 1);
  EXPECT_TRUE(drifting());
  std::string text = to_json(*loaded_.profile.get()) + "\n";  // other bytes, another digest
  loaded_.profile.set(*parse_profile(text, kWatched));
  EXPECT_FALSE(drifting());
  windows(1, 1);
  EXPECT_EQ(events().size(), 2u);
}

}  // namespace
}  // namespace holdfast::inference
