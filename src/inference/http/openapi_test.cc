#include "inference/http/openapi.h"

#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <fstream>

#include "inference/fake_engine.h"
#include "inference/http/codec.h"
#include "inference/warm_up.h"

namespace holdfast::inference {
namespace {

namespace json = boost::json;

class OpenApiTest : public ::testing::Test {
 public:
  OpenApiTest() {
    char name[] = "/tmp/openapi_test.XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~OpenApiTest() override { std::filesystem::remove_all(folder_); }

 protected:
  Loaded& load(const std::string& tensors) {
    const std::string path = folder_ + "/model";
    std::ofstream(path) << fake_model(2, tensors);
    loaded_ = std::make_unique<Loaded>();
    loaded_->name = "m";
    loaded_->version = 7;
    loaded_->model = std::move(*engine_.load(path));
    loaded_->accepts = loaded_->model->signature();
    warm_up(*loaded_);
    return *loaded_;
  }

  std::string folder_;
  FakeEngine engine_;
  std::unique_ptr<Loaded> loaded_;  // before its engine
};

// Every example is what the door itself takes.
TEST_F(OpenApiTest, ExamplesOfEveryDatatypeAreTaken) {
  for (const char* type : {"BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32",
                           "INT64", "FP32", "FP64", "BYTES"}) {
    const std::string t = type;
    const Loaded& loaded = load("input x " + t + " -1,2\noutput y " + t + " -1,2\n");
    const auto rows = score_example(loaded);
    ASSERT_TRUE(rows) << type;
    EXPECT_TRUE(parse_rows(json::serialize(*rows), loaded.accepts)) << json::serialize(*rows);
    const auto infer = infer_example(loaded);
    ASSERT_TRUE(infer) << type;
    EXPECT_TRUE(parse_infer(json::serialize(*infer), std::nullopt, loaded.accepts))
        << json::serialize(*infer);
  }
}

TEST_F(OpenApiTest, SeveralInputsAreForInferAlone) {
  const Loaded& loaded =
      load("input a FP32 -1\ninput b INT64 2,-1\noutput y FP32 -1\noutput z INT64 2,-1\n");
  const auto infer = infer_example(loaded);
  ASSERT_TRUE(infer);
  EXPECT_TRUE(parse_infer(json::serialize(*infer), std::nullopt, loaded.accepts));
  EXPECT_FALSE(scored(loaded.accepts));
  EXPECT_FALSE(score_example(loaded));
  const json::object document = score_document(OpenApi::v3_0, {.loaded = loaded});
  EXPECT_FALSE(document.at("paths").as_object().contains("/score"));
}

TEST_F(OpenApiTest, WhatWouldNotWorkIsNoExample) {
  EXPECT_FALSE(infer_example(load("input x FP16 -1,2\noutput y FP16 -1,2\n")));
  EXPECT_FALSE(scored(loaded_->accepts));
  EXPECT_TRUE(infer_example(load("input x FP32 1,1024\noutput y FP32 1,1024\n")));
  EXPECT_FALSE(infer_example(load("input x FP32 1,1025\noutput y FP32 1,1025\n")));
  EXPECT_FALSE(infer_example(
      load("input x FP32 1000\ninput z FP32 1000\noutput y FP32 1000\noutput w FP32 1000\n")));
  EXPECT_FALSE(infer_example(load("input x\xff FP32 1,2\noutput y FP32 1,2\n")));
  engine_.on_run = [](const std::vector<TensorView>&) -> Result<void> {
    return fail(Code::invalid_argument, "zeros are no picture");
  };
  EXPECT_FALSE(infer_example(load("input x FP32 1,2\noutput y FP32 1,2\n")));
}

TEST_F(OpenApiTest, ALargeModelHasASmallDocument) {
  const Loaded& loaded =
      load("input x FP32 -1,3,100000,100000\noutput y FP32 -1,3,100000,100000\n");
  for (const OpenApi form : {OpenApi::v2_0, OpenApi::v3_0, OpenApi::v3_1}) {
    EXPECT_LT(json::serialize(infer_document(form, {.loaded = loaded})).size(), 16'000);
    EXPECT_LT(json::serialize(score_document(form, {.loaded = loaded})).size(), 16'000);
  }
}

TEST_F(OpenApiTest, NamesAreEscapedWhereTheyStand) {
  Loaded& loaded = load("input x FP32 1,2\noutput y FP32 1,2\n");
  loaded.name = "a/b~{c} \xc3\xa9\"";
  const json::object document = infer_document(OpenApi::v3_1, {.loaded = loaded, .named = true});
  EXPECT_TRUE(document.at("paths").as_object().contains(
      "/v2/models/a%2Fb~%7Bc%7D%20%C3%A9%22/versions/7/infer"));
  EXPECT_EQ(document.at("info").at("title").as_string(), loaded.name);
  EXPECT_EQ(clean_text("a\xff").find('\xff'), json::string::npos);
}

TEST_F(OpenApiTest, TokensAreSaidWhereTheyAreAsked) {
  const Loaded& loaded = load("input x FP32 1,2\noutput y FP32 1,2\n");
  for (const OpenApi form : {OpenApi::v2_0, OpenApi::v3_0, OpenApi::v3_1}) {
    for (const bool tokens : {false, true}) {
      const Described of{.loaded = loaded, .tokens = tokens};
      for (const json::object& document : {score_document(form, of), infer_document(form, of)})
        EXPECT_EQ(document.contains("security"), tokens);
      const json::object document = score_document(form, of);
      const json::value& paths = document.at("paths");
      EXPECT_EQ(paths.at("/score").at("post").at("responses").as_object().contains("401"), tokens);
      EXPECT_EQ(paths.at("/").at("get").as_object().contains("security"), tokens);  // []: open
    }
  }
}

TEST(OpenApiVersion, ThoseThatAzureMlsServerHas) {
  EXPECT_EQ(*parse_openapi("2"), OpenApi::v2_0);
  EXPECT_EQ(*parse_openapi("2.0"), OpenApi::v2_0);
  EXPECT_EQ(*parse_openapi("3"), OpenApi::v3_0);
  EXPECT_EQ(*parse_openapi("3.0"), OpenApi::v3_0);
  EXPECT_EQ(*parse_openapi("3.1"), OpenApi::v3_1);
  for (const char* other : {"", "1", "4", "3.2", "3.1.0", " 2", "two"})
    EXPECT_EQ(parse_openapi(other).error().code(), Code::not_found);
}

}  // namespace
}  // namespace holdfast::inference
