// From a model's bytes to an image that a device fetches.
#include <gtest/gtest.h>

#include "base/files.h"
#include "oci/elf.h"
#include "registry/model_images.h"
#include "registry/testing.h"

namespace holdfast::registry {
namespace {

namespace fs = std::filesystem;

struct ModelImagesTest : testing::Test, TestRegistry {
  std::unique_ptr<ModelImages> images;
  void SetUp() override {
    ModelImagesOptions options;
    options.directory = (folder / "images").string();
    options.program = fs::read_symlink("/proc/self/exe");  // stands for holdfast-serve
    const auto libraries = oci::libraries_of({options.program}, oci::library_directories());
    ASSERT_TRUE(libraries);
    for (const auto& one : *libraries)
      if (one.name == "libz.so.1") options.onnxruntime = one.file;
    images = std::move(*ModelImages::open(options, *registry));
  }
  Result<PublishedImage> publish(int64_t version, const std::string& bytes) {
    oci::ModelDescription description;
    description.name = "Digits";
    description.version = version;
    description.created = "2026-11-24T12:00:00Z";
    MemorySource source(bytes);
    return run_task(images->publish(description, source));
  }
};

TEST_F(ModelImagesTest, OnlyTheModelLayerMovesASecondTime) {
  ASSERT_TRUE(run_task(images->prepare()));
  const auto first = publish(1, "first model");
  ASSERT_TRUE(first) << first.error().message();
  const auto second = publish(2, "second model");
  ASSERT_TRUE(second);
  EXPECT_GT(first->pushed, 100'000u);
  EXPECT_EQ(second->pushed, second->layer.size);
  EXPECT_EQ(second->onnx, oci::Digest::sha256(as_bytes("second model")));
  const auto latest = run_task(registry->resolve(second->repository, "latest"));
  ASSERT_TRUE(latest);
  EXPECT_EQ(latest->descriptor.digest, second->manifest);
  EXPECT_EQ(run_task(registry->resolve(first->repository, "1"))->descriptor.digest,
            first->manifest);
  const auto layer = read(second->repository, second->layer.digest);
  ASSERT_TRUE(layer);
  ASSERT_TRUE(replace_file(folder / "layer", as_bytes(*layer)));
  const auto model =
      oci::extract_model(folder / "layer", second->layer.media_type, folder / "model.onnx");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->name, "Digits");
  EXPECT_EQ(*read_file(folder / "model.onnx"), "second model");
  EXPECT_TRUE(fs::is_empty(folder / "images/building"));
}

TEST_F(ModelImagesTest, TheSameAgainIsTheSameImage) {
  const auto first = publish(1, "model");
  const auto again = publish(1, "model");
  ASSERT_TRUE(first && again);
  EXPECT_EQ(first->manifest, again->manifest);
  EXPECT_EQ(again->pushed, 0u);
  EXPECT_EQ(again->layer.digest, first->layer.digest);
  EXPECT_EQ(again->onnx, first->onnx);
  const auto other = publish(1, "another model");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().reason(), "version_exists");
  EXPECT_EQ(run_task(registry->resolve(first->repository, "latest"))->descriptor.digest,
            first->manifest);
}

TEST_F(ModelImagesTest, WhatCanNotBeServedIsRefused) {
  EXPECT_EQ(publish(0, "model").error().code(), Code::invalid_argument);
  EXPECT_EQ(count("SELECT count(*) FROM registry_manifest"), 0);
  EXPECT_TRUE(fs::is_empty(folder / "images/building"));
}

}  // namespace
}  // namespace holdfast::registry
