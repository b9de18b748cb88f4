#include "inference/measure/rows.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace holdfast::inference {
namespace {

namespace fs = std::filesystem;

class RowsTest : public ::testing::Test {
 public:
  RowsTest() {
    char name[] = "/tmp/rows_test.XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~RowsTest() override { fs::remove_all(folder_); }

 protected:
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  // An array of FP32 as numpy.save writes it.
  static std::string npy(const std::string& shape, const std::vector<float>& values) {
    std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }";
    header.resize(117, ' ');
    header += '\n';
    std::string out("\x93NUMPY\x01\x00\x76\x00", 10);
    out += header;
    out.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    return out;
  }
  // The first inputs' values of each request, "1,2 3,4"; or the error.
  std::string read(const std::string& path) {
    std::string out;
    const auto use = [&out](const Inputs& inputs) -> Result<void> {
      if (!out.empty()) out += ' ';
      const size_t count = inputs[0].data.size() / sizeof(float);
      for (size_t i = 0; i < count; ++i) {
        float value = 0;
        std::memcpy(&value, inputs[0].data.data() + i * sizeof value, sizeof value);
        out += (i > 0 ? "," : "") + std::to_string(static_cast<int>(value));
      }
      return {};
    };
    read_ = {};
    const auto done = each_request(signature_, path, use, [this](double part) { part_ = part; });
    if (!done) return done.error().message();
    read_ = *done;
    return out;
  }

  std::string folder_;
  Signature signature_{{{.name = "x", .type = Datatype::fp32, .shape = {-1, 2}}}, {}};
  RowsRead read_;
  double part_ = 0;
};

constexpr const char* kRequest =
    R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}]})";
constexpr const char* kCaptured =
    R"({"specversion":"1.0","id":"a","type":"azureml.inference.model_inputs","data":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[3,4]}]})";
constexpr const char* kAnswer =
    R"({"specversion":"1.0","id":"b","type":"azureml.inference.model_outputs","data":[]})";
constexpr const char* kLarge =
    R"({"type":"azureml.inference.model_inputs","data":[{"name":"x","datatype":"FP32","shape":[9,2],"summary":{}}]})";

TEST_F(RowsTest, LinesAreRequestsOrCapturedOnes) {
  const std::string path = write("a.jsonl", std::string(kRequest) + "\n\n" + kCaptured + "\n" +
                                                kAnswer + "\n" + kLarge + "\n");
  EXPECT_EQ(read(path), "1,2 3,4");
  EXPECT_EQ(read_.skipped, 1u);
  EXPECT_EQ(part_, 1);
}

TEST_F(RowsTest, ArraysAreCutIntoRequests) {
  std::vector<float> values(2 * 65);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const std::string text = read(write("a.npy", npy("(65, 2)", values)));
  EXPECT_TRUE(text.starts_with("0,1,2,")) << text;
  EXPECT_TRUE(text.ends_with(",127 128,129")) << "64 rows and one";
  signature_.inputs[0].shape = {1, 2};
  EXPECT_EQ(read(write("b.npy", npy("(2, 2)", {1, 2, 3, 4}))), "1,2 3,4");
  signature_.inputs[0].shape = {2};  // no rows at all
  EXPECT_EQ(read(write("c.npy", npy("(2,)", {5, 6}))), "5,6");
}

TEST_F(RowsTest, AFolderIsReadInTheOrderOfItsNames) {
  write("b.jsonl", kCaptured);
  write("a.npy", npy("(1, 2)", {1, 2}));
  write(".c.jsonl", "being written");
  write("readme.txt", "not data");
  EXPECT_EQ(read(folder_), "1,2 3,4");
  EXPECT_EQ(read_.files, 2u);
}

TEST_F(RowsTest, WhatIsWrongIsNamed) {
  const auto says = [this](const std::string& path, const std::string& text) {
    const std::string said = read(path);
    EXPECT_NE(said.find(text), std::string::npos) << said;
  };
  says(folder_ + "/nothing", "there is no");
  says(folder_, "no .npz, .npy or .jsonl file");
  says(write("a.jsonl", std::string(kRequest) + "\n{broken"), "a.jsonl: line 2");
  says(write("a.jsonl", "{\"rows\": 1}"), "no request");
  says(
      write("a.jsonl", R"({"inputs":[{"name":"z","datatype":"FP32","shape":[1,2],"data":[1,2]}]})"),
      "'z'");
  says(write("a.jsonl",
             R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,3],"data":[1,2,3]}]})"),
       "line 1");
  says(write("a.npy", npy("(1, 3)", {1, 2, 3})), "has another shape than the array");
  says(write("a.npy", npy("(0, 2)", {})), "no rows");
  says(write("a.npy", npy("(7, 2)", {1})), "not the bytes that its shape says");
  says(write("a.npy", "PK"), "not a readable");
  says(write("a.npz", "PK"), "not a readable");
  signature_.inputs[0].shape = {2, 2};
  says(write("a.npy", npy("(3, 2)", {1, 2, 3, 4, 5, 6})), "takes 2 at a time");
  signature_.inputs.push_back(signature_.inputs[0]);
  says(write("a.npy", npy("(2, 2)", {1, 2, 3, 4})), "the model has 2 inputs");
}

}  // namespace
}  // namespace holdfast::inference
