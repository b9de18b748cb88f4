// From a model's bytes to an image that a device fetches.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <thread>

#include "base/files.h"
#include "oci/elf.h"
#include "registry/model_images.h"
#include "registry/testing.h"

namespace holdfast::registry {
namespace {

namespace fs = std::filesystem;

struct ModelImagesTest : testing::Test, TestRegistry {
  std::unique_ptr<ModelImages> images;
  fs::path library;  // that is packed beside the program
  void SetUp() override { open_with({}); }
  // `other` in place of a small one of this machine.
  void open_with(const fs::path& other) {
    ModelImagesOptions options;
    options.directory = (folder / "images").string();
    options.program = fs::read_symlink("/proc/self/exe");  // stands for holdfast-serve
    const auto libraries = oci::libraries_of({options.program}, oci::library_directories());
    ASSERT_TRUE(libraries);
    for (const auto& one : *libraries)
      if (one.name == "libz.so.1") options.onnxruntime = one.file;
    if (!other.empty()) options.onnxruntime = other;
    library = options.onnxruntime;
    images = std::move(*ModelImages::open(options, *registry));
  }
  Result<PublishedImage> publish(int64_t version, const std::string& bytes,
                                 const std::string& profile = "") {
    oci::ModelDescription description;
    description.name = "Digits";
    description.version = version;
    description.created = "2026-11-24T12:00:00Z";
    description.profile = profile;
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

// The nice values of this process's threads of that name.
std::vector<int> nice_of(const std::string& name) {
  std::vector<int> out;
  for (const auto& thread : fs::directory_iterator("/proc/self/task")) {
    const auto comm = read_file(thread.path() / "comm", 64);
    if (!comm || *comm != name + "\n") continue;
    out.push_back(::getpriority(PRIO_PROCESS, std::stoul(thread.path().filename().string())));
  }
  return out;
}

TEST_F(ModelImagesTest, WhoeverIsServedComesFirst) {
  ASSERT_TRUE(run_task(images->prepare()));
  EXPECT_EQ(nice_of("images"), std::vector<int>{10});
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

TEST_F(ModelImagesTest, AProfileComesWithItsVersionAndDoesNotChange) {
  const auto first = publish(1, "model", "profile");
  ASSERT_TRUE(first) << first.error().message();
  const auto manifest = oci::parse_manifest(
      run_task(registry->resolve(first->repository, "1"))->json, oci::media::kManifest);
  ASSERT_TRUE(manifest);
  ASSERT_EQ(manifest->layers.size(), 3u);
  const auto layer = read(first->repository, manifest->layers[2].digest);
  ASSERT_TRUE(layer);
  ASSERT_TRUE(replace_file(folder / "layer", as_bytes(*layer)));
  EXPECT_EQ(oci::extract_profile(folder / "layer", manifest->layers[2].media_type,
                                 {.name = "Digits", .version = 1})
                .value(),
            "profile");
  EXPECT_EQ(publish(1, "model", "profile")->manifest, first->manifest);
  EXPECT_EQ(publish(1, "model")->manifest, first->manifest) << "who names none takes any";
  EXPECT_EQ(publish(1, "model", "another").error().reason(), "version_exists");
  ASSERT_TRUE(publish(2, "model"));
  EXPECT_EQ(publish(2, "model", "late").error().reason(), "version_exists");
}

// As large as it takes some time to pack; what is written of it tells that the packing has begun.
TEST_F(ModelImagesTest, AStopEndsWhatIsBeingBuilt) {
  std::string large = *read_file(library, 1 << 26);
  large += random_bytes(96 << 20);
  ASSERT_TRUE(replace_file(folder / "large", as_bytes(large)));
  open_with(folder / "large");
  Result<void> done;
  std::thread building([&] { done = run_task(images->prepare()); });
  const fs::path cache = folder / "images/runtime";
  const auto packing = [&] {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(cache, error))
      if (entry.path().filename().string().starts_with(".layer-") &&
          fs::file_size(entry, error) > 0)
        return true;
    return false;
  };
  while (!packing()) std::this_thread::yield();
  images->stop();
  building.join();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Code::cancelled);
  EXPECT_TRUE(fs::is_empty(cache));
  EXPECT_EQ(publish(1, "model").error().code(), Code::cancelled);
  EXPECT_EQ(count("SELECT count(*) FROM registry_manifest"), 0);
  EXPECT_TRUE(fs::is_empty(folder / "images/building"));
}

TEST_F(ModelImagesTest, WhatCanNotBeServedIsRefused) {
  EXPECT_EQ(publish(0, "model").error().code(), Code::invalid_argument);
  EXPECT_EQ(count("SELECT count(*) FROM registry_manifest"), 0);
  EXPECT_TRUE(fs::is_empty(folder / "images/building"));
}

}  // namespace
}  // namespace holdfast::registry
