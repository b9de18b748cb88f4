// The runtime layer and the image of a model, of programs of this machine.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/files.h"
#include "oci/elf.h"
#include "oci/fetch_model.h"
#include "oci/testing.h"

namespace holdfast::oci {
namespace {

namespace fs = std::filesystem;

// This very test is a program with shared libraries; libz stands for ONNX Runtime.
struct Parts {
  Folder folder;
  RuntimeParts parts;
  Parts() {
    parts.program = fs::read_symlink("/proc/self/exe");
    const auto libraries = libraries_of({parts.program}, library_directories());
    EXPECT_TRUE(libraries) << libraries.error().message();
    for (const SharedLibrary& one : *libraries)
      if (one.name == "libz.so.1") parts.onnxruntime = one.file;
    parts.cache = folder.path / "cache";
  }
};

std::set<std::string> paths_in(const Layer& layer) {
  std::set<std::string> paths;
  const auto read = read_layer(layer.file, layer.descriptor.media_type, {},
                               [&](const TarMember& member, const ByteReader&) -> Result<void> {
                                 paths.insert(member.path);
                                 return {};
                               });
  EXPECT_TRUE(read) << read.error().message();
  return paths;
}

TEST(Elf, FindsLoaderAndLibrariesOfThisProgram) {
  const auto self = read_elf(fs::read_symlink("/proc/self/exe"));
  ASSERT_TRUE(self) << self.error().message();
  EXPECT_TRUE(fs::exists(self->interpreter));
  EXPECT_NE(std::ranges::find(self->needed, "libc.so.6"), self->needed.end());
  const auto libraries = libraries_of({fs::read_symlink("/proc/self/exe")}, library_directories());
  ASSERT_TRUE(libraries);
  for (const SharedLibrary& library : *libraries) EXPECT_TRUE(fs::exists(library.file));
}

TEST(Elf, RefusesWhatIsNone) {
  const Folder folder;
  EXPECT_FALSE(read_elf(folder.file("empty", "")));
  EXPECT_FALSE(read_elf(folder.file("text", std::string(1000, 'x'))));
  std::string bytes = *read_file(fs::read_symlink("/proc/self/exe"), 1ull << 30);
  bytes.resize(4096);
  const std::string head = bytes;
  // Every header byte turned over once: an error or a value, never a crash.
  for (size_t i = 0; i < 1024; ++i) {
    bytes = head;
    bytes[i] = static_cast<char>(bytes[i] ^ 0xff);
    (void)read_elf(folder.file("bent", bytes));
  }
  const auto missing = libraries_of({fs::read_symlink("/proc/self/exe")}, {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Code::not_found);
}

TEST(RuntimeLayer, HoldsTheProgramAndIsMadeOnce) {
  const Parts made;
  const auto first = make_runtime_layer(made.parts);
  ASSERT_TRUE(first) << first.error().message();
  const auto paths = paths_in(first->layer);
  for (const char* path : {"holdfast-serve", "lib/libonnxruntime.so.1", "lib/libc.so.6",
                           "lib/libstdc++.so.6", "etc/passwd", "etc/holdfast/serve.yaml", "tmp"})
    EXPECT_TRUE(paths.contains(path)) << path;
  const auto elf = read_elf(made.parts.program);
  EXPECT_TRUE(paths.contains(elf->interpreter.substr(1)));
  const auto written = fs::last_write_time(first->layer.file);
  const auto again = make_runtime_layer(made.parts);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->layer.descriptor.digest, first->layer.descriptor.digest);
  EXPECT_EQ(fs::last_write_time(again->layer.file), written);  // from the cache
  made.folder.file("cache/.layer-left", "half");
  made.folder.file("cache/older.tar.gz", "of another program");
  // A damaged cache is made anew, with the same bytes.
  fs::resize_file(again->layer.file, 100);
  const auto anew = make_runtime_layer(made.parts);
  ASSERT_TRUE(anew);
  EXPECT_EQ(anew->layer.descriptor.digest, first->layer.descriptor.digest);
  EXPECT_EQ(*digest_file(anew->layer.file), first->layer.descriptor.digest);
  EXPECT_EQ(std::distance(fs::directory_iterator(made.parts.cache), {}), 2);
}

ModelDescription description(int64_t version = 3) {
  ModelDescription model;
  model.name = "digits";
  model.version = version;
  model.run = "run-1";
  model.data = "digits-train:2";
  model.created = "2026-11-24T12:00:00Z";
  return model;
}

TEST(ModelImage, SharesTheRuntimeAndCarriesItsOrigin) {
  const Parts made;
  const auto runtime = make_runtime_layer(made.parts);
  ASSERT_TRUE(runtime);
  const auto onnx = made.folder.file("m.onnx", "model bytes");
  const auto image = build_model_image(description(), onnx, *runtime, made.folder.path / "m.layer");
  ASSERT_TRUE(image) << image.error().message();
  const auto manifest = parse_manifest(image->manifest, media::kManifest);
  ASSERT_TRUE(manifest);
  ASSERT_EQ(manifest->layers.size(), 2u);
  EXPECT_EQ(manifest->layers[0].digest, runtime->layer.descriptor.digest);
  EXPECT_EQ(manifest->annotations.at(label::kRun), "run-1");
  EXPECT_EQ(manifest->annotations.at(label::kData), "digits-train:2");
  EXPECT_EQ(manifest->annotations.at(label::kDigest),
            Digest::sha256(as_bytes("model bytes")).str());
  const auto config = parse_image_config(image->config);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->user, "65532:65532");
  EXPECT_EQ(config->labels, manifest->annotations);
  EXPECT_EQ(config->diff_ids[1], image->model.diff_id);
  const auto again =
      build_model_image(description(), onnx, *runtime, made.folder.path / "again.layer");
  EXPECT_EQ(again->manifest_descriptor.digest, image->manifest_descriptor.digest);
  EXPECT_TRUE(paths_in(image->model).contains("models/digits/3/model.onnx"));
  auto bad = description(0);
  EXPECT_FALSE(build_model_image(bad, onnx, *runtime, made.folder.path / "x"));
  bad = description();
  bad.name = "../x";
  EXPECT_FALSE(build_model_image(bad, onnx, *runtime, made.folder.path / "x"));
}

TEST(ModelImage, RepositoryNamesAreValidAndApart) {
  EXPECT_EQ(model_repository("digits"), "models/digits");
  std::set<std::string> names;
  for (const char* model :
       {"Digits", "digits", "DIGITS", "a b", "a/b", "a--b", "ü", "", "a.", ".a"}) {
    const std::string name = model_repository(model);
    EXPECT_TRUE(check_name(name)) << name;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
}

TEST(FetchModel, MovesTheModelLayerAlone) {
  const Parts made;
  const auto runtime = make_runtime_layer(made.parts);
  ASSERT_TRUE(runtime);
  const auto onnx = made.folder.file("m.onnx", "model bytes");
  const auto image = build_model_image(description(), onnx, *runtime, made.folder.path / "m.layer");
  ASSERT_TRUE(image);
  MemoryRegistry registry;
  registry.put_blob(*read_file(image->model.file));
  const Digest digest = registry.put_manifest("models/digits", "3", image->manifest);
  BlockingPool pool("test", 1);
  const auto reference = *parse_reference("models/digits@" + digest.str());
  const auto fetched = run_task(fetch_model(registry, reference, image->model.descriptor.digest,
                                            made.folder.path / "in", pool));
  ASSERT_TRUE(fetched) << fetched.error().message();
  EXPECT_EQ(*read_file(fetched->onnx), "model bytes");
  EXPECT_EQ(fetched->model.name, "digits");
  EXPECT_EQ(fetched->model.version, 3);
  EXPECT_EQ(fetched->labels.at(label::kRun), "run-1");
  EXPECT_EQ(registry.blob_bytes(), image->model.descriptor.size);
  // By mark where no digest is given; refused where the digest is not of this image.
  EXPECT_TRUE(run_task(fetch_model(registry, reference, {}, made.folder.path / "in2", pool)));
  EXPECT_FALSE(run_task(fetch_model(registry, reference, Digest::sha256(as_bytes("other")),
                                    made.folder.path / "in3", pool)));
}

TEST(FetchModel, BringsTheProfileThatTheImageCarries) {
  const Parts made;
  const auto runtime = make_runtime_layer(made.parts);
  ASSERT_TRUE(runtime);
  const auto onnx = made.folder.file("m.onnx", "model bytes");
  auto with = description();
  with.profile = R"({"format":"holdfast.profile/1"})";
  const auto image = build_model_image(with, onnx, *runtime, made.folder.path / "m.layer");
  ASSERT_TRUE(image && image->profile);
  const auto plain = build_model_image(description(), onnx, *runtime, made.folder.path / "p.layer");
  ASSERT_TRUE(plain && !plain->profile);
  EXPECT_EQ(image->model.descriptor.digest, plain->model.descriptor.digest) << "it moves alone";
  const auto config = parse_image_config(image->config);
  ASSERT_TRUE(config);
  ASSERT_EQ(config->diff_ids.size(), 3u);
  EXPECT_EQ(config->diff_ids[2], image->profile->diff_id);
  EXPECT_TRUE(paths_in(*image->profile).contains("models/digits/3/profile.json"));
  MemoryRegistry registry;
  registry.put_blob(*read_file(image->model.file));
  registry.put_blob(*read_file(image->profile->file));
  BlockingPool pool("test", 1);
  const auto fetch = [&](const std::string& manifest, const char* into) {
    const Digest digest = registry.put_manifest("models/digits", "3", manifest);
    return run_task(fetch_model(registry, *parse_reference("models/digits@" + digest.str()), {},
                                made.folder.path / into, pool));
  };
  const auto fetched = fetch(image->manifest, "in");
  ASSERT_TRUE(fetched) << fetched.error().message();
  EXPECT_EQ(fetched->profile, with.profile);
  EXPECT_EQ(fetch(plain->manifest, "in2")->profile, "");
  auto other = *parse_manifest(image->manifest, media::kManifest);
  other.layers[2].annotations[label::kProfile] = Digest::sha256(as_bytes("other")).str();
  EXPECT_FALSE(fetch(write_manifest(other), "in3"));
}

TEST(ExtractModel, RefusesAnythingButOneModel) {
  const Folder folder;
  const std::vector<std::vector<TarEntry>> rows = {
      {},
      {tar_file("etc/passwd", "x")},
      {tar_file("models/a/0/model.onnx", "x")},
      {tar_file("models/a/1/model.onnx", "x"), tar_file("models/a/2/model.onnx", "x")},
      {tar_file("models/a/1/model.onnx", "x"), tar_file("models/a/1/run.sh", "x")}};
  for (const auto& entries : rows) {
    const auto layer = write_layer(entries, folder.path / "l");
    ASSERT_TRUE(layer);
    EXPECT_FALSE(extract_model(layer->file, media::kLayerGzip, folder.path / "out"));
    EXPECT_FALSE(fs::exists(folder.path / "out"));
  }
}

TEST(ExtractProfile, RefusesAnythingButTheModelsProfile) {
  const Folder folder;
  const ExtractedModel model{.name = "a", .version = 1};
  const auto extract = [&](std::vector<TarEntry> entries) {
    const auto layer = write_layer(std::move(entries), folder.path / "l");
    EXPECT_TRUE(layer);
    return extract_profile(layer->file, media::kLayerGzip, model);
  };
  const std::string large(kMostProfile + 1, ' ');
  EXPECT_EQ(extract({tar_file("models/a/1/profile.json", "{}")}).value(), "{}");
  EXPECT_FALSE(extract({}));
  EXPECT_FALSE(extract({tar_file("models/a/1/profile.json", "")}));
  EXPECT_FALSE(extract({tar_file("models/a/2/profile.json", "{}")}));
  EXPECT_FALSE(extract({tar_file("models/b/1/profile.json", "{}")}));
  EXPECT_FALSE(extract({tar_file("models/a/1/picture.yaml", "{}")}));
  EXPECT_FALSE(
      extract({tar_file("models/a/1/profile.json", "{}"), tar_file("models/a/1/x.json", "{}")}));
  EXPECT_EQ(extract({tar_file("models/a/1/profile.json", large)}).error().code(), Code::too_large);
}

}  // namespace
}  // namespace holdfast::oci
