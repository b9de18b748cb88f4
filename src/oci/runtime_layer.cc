#include "oci/runtime_layer.h"

#include <zlib.h>

#include <algorithm>

#include "base/files.h"
#include "oci/elf.h"
#include "oci/json_fields.h"

namespace holdfast::oci {
namespace {

namespace fs = std::filesystem;

constexpr int kFormat = 3;  // of the layer: another number makes another layer of the same files

constexpr std::string_view kPasswd =
    "root:x:0:0:root:/:/sbin/nologin\nholdfast:x:65532:65532:holdfast:/tmp:/sbin/nologin\n";
constexpr std::string_view kGroup = "root:x:0:\nholdfast:x:65532:\n";
// A container has a network of its own, and who publishes its port decides who reaches it.
constexpr std::string_view kServe =
    "data: /tmp/serve\n"
    "models: /models\n"
    "listen:\n"
    "  http: 0.0.0.0:8000\n"
    "  grpc: 0.0.0.0:8001\n"
    "plain_http_beyond_loopback: true\n"
    "uploads: false\n";

TarEntry directory(std::string path, unsigned mode) {
  TarEntry entry;
  entry.kind = TarKind::directory;
  entry.path = std::move(path);
  entry.mode = mode;
  return entry;
}

struct Contents {
  std::vector<TarEntry> entries;
  std::string architecture;
  std::string key;  // of the cache: all that decides the bytes
};

Result<Contents> contents_of(const RuntimeParts& parts, const std::stop_token& stop) {
  TRY(const ElfFile program, read_elf(parts.program));
  if (!program.interpreter.starts_with('/'))
    return fail(Code::invalid_argument, parts.program.string() + " names no loader");
  TRY(auto libraries, libraries_of({parts.program, parts.onnxruntime}, library_directories()));
  const std::string loader = fs::path(program.interpreter).filename();
  // The loader answers to its own name; it is not loaded a second time.
  std::erase_if(libraries, [&](const SharedLibrary& one) { return one.name == loader; });
  libraries.push_back({"libonnxruntime.so.1", parts.onnxruntime});
  Contents contents;
  contents.architecture = program.architecture;
  contents.entries = {tar_file_from("holdfast-serve", parts.program, 0755),
                      tar_file_from(program.interpreter.substr(1), program.interpreter, 0755),
                      tar_file("etc/passwd", std::string(kPasswd)),
                      tar_file("etc/group", std::string(kGroup)),
                      tar_file(std::string(kRuntimeConfig.substr(1)), std::string(kServe)),
                      directory("models", 0755),
                      directory("tmp", 01777)};
  for (const SharedLibrary& library : libraries)
    contents.entries.push_back(tar_file_from("lib/" + library.name, library.file, 0755));
  std::ranges::sort(contents.entries, {}, &TarEntry::path);
  std::string all = "runtime " + std::to_string(kFormat) + " zlib " + ::zlibVersion() + "\n";
  for (const TarEntry& entry : contents.entries) {
    Digest digest;
    if (const auto* path = std::get_if<fs::path>(&entry.content)) {
      TRY(digest, digest_file(*path, HashKind::sha256, stop));
    } else {
      digest = Digest::sha256(as_bytes(std::get<std::string>(entry.content)));
    }
    all += entry.path + " " + std::to_string(entry.mode) + " " + digest.str() + "\n";
  }
  contents.key = sha256_hex(as_bytes(all));
  return contents;
}

// What is kept beside the layer's file; only a file whose bytes are still its digest's is used.
Result<Layer> kept(const fs::path& file, const fs::path& note, const std::stop_token& stop) {
  TRY(const std::string text, read_file(note, 4096));
  TRY(const json::value value, parse_json(text));
  const Fields fields(value, "");
  Layer layer;
  layer.file = file;
  layer.descriptor.media_type = media::kLayerGzip;
  TRY(const std::string digest, fields.text("digest"));
  TRY(layer.descriptor.digest, Digest::parse(digest));
  TRY(const std::string diff_id, fields.text("diff_id"));
  TRY(layer.diff_id, Digest::parse(diff_id));
  TRY(layer.descriptor.size, fields.size("size"));
  TRY(const Digest there, digest_file(file, HashKind::sha256, stop));
  if (there != layer.descriptor.digest)
    return fail(Code::internal, file.string() + " is not what was written");
  return layer;
}

// Layers of earlier programs, and what a stop left half written.
void prune(const fs::path& cache, const std::string& key) {
  std::error_code error;
  std::vector<fs::path> old;
  for (const auto& entry : fs::directory_iterator(cache, error)) {
    if (!entry.path().filename().string().starts_with(key)) old.push_back(entry.path());
  }
  for (const fs::path& path : old) fs::remove(path, error);
}

}  // namespace

Result<RuntimeLayer> make_runtime_layer(const RuntimeParts& parts, std::stop_token stop) {
  TRY_VOID(make_directories(parts.cache, 0750));
  TRY(Contents contents, contents_of(parts, stop));
  const fs::path file = parts.cache / (contents.key + ".tar.gz"),
                 note = parts.cache / (contents.key + ".json");
  RuntimeLayer runtime;
  runtime.architecture = contents.architecture;
  if (auto there = kept(file, note, stop)) {
    runtime.layer = std::move(*there);
    return runtime;
  }
  // The lowest level: a third of the work for a tenth more bytes, which a host fetches once.
  TRY(runtime.layer, write_layer(std::move(contents.entries), file, 1, stop));
  json::object out;
  out["digest"] = runtime.layer.descriptor.digest.str();
  out["diff_id"] = runtime.layer.diff_id.str();
  out["size"] = runtime.layer.descriptor.size;
  TRY_VOID(replace_file(note, as_bytes(json::serialize(out))));
  prune(parts.cache, contents.key);
  return runtime;
}

}  // namespace holdfast::oci
