// For tests: a registry over a database and an object store in a folder of its own.
#pragma once

#include <filesystem>

#include "base/digest.h"
#include "net/runtime.h"
#include "registry/registry.h"

namespace holdfast::registry {

struct TestRegistry {
  std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("registry_test." + hex(as_bytes(random_bytes(6))));
  FakeClock clock;
  std::unique_ptr<store::Database> database;
  std::unique_ptr<store::ObjectStore> objects;
  std::unique_ptr<Registry> registry;

  TestRegistry() { open(); }
  ~TestRegistry() {
    close();
    std::filesystem::remove_all(folder);
  }
  TestRegistry(const TestRegistry&) = delete;
  TestRegistry& operator=(const TestRegistry&) = delete;

  void open() {
    std::filesystem::create_directories(folder);
    database = std::move(*store::open_sqlite({(folder / "storage.db").string()}));
    objects = std::move(*store::open_file_objects({(folder / "content").string()}, *database));
    registry = std::move(*Registry::open(*database, *objects, clock));
  }
  void close() {
    registry.reset();
    objects.reset();
    database.reset();
  }
  void restart() {
    close();
    open();
  }

  oci::Descriptor put(const std::string& repository, const std::string& bytes,
                      std::string_view type = oci::media::kLayer) {
    oci::Descriptor blob;
    blob.media_type = type;
    blob.digest = oci::Digest::sha256(as_bytes(bytes));
    blob.size = bytes.size();
    MemorySource source(bytes);
    const auto done = run_task(registry->put_blob(repository, blob.digest, source));
    if (!done) throw std::runtime_error(done.error().message());
    return blob;
  }
  // A manifest over these layers and an empty configuration.
  std::string manifest(const std::string& repository, std::vector<oci::Descriptor> layers,
                       const std::string& note = "") {
    oci::Manifest out;
    out.config = put(repository, "{}", oci::media::kConfig);
    out.layers = std::move(layers);
    if (!note.empty()) out.annotations["note"] = note;
    return oci::write_manifest(out);
  }
  Result<std::string> read(const std::string& repository, const oci::Digest& digest) {
    TRY(const OpenBlob blob, run_task(registry->open_blob(repository, digest)));
    std::string bytes(blob.size, '\0');
    for (uint64_t at = 0; at < blob.size;) {
      TRY(const size_t count,
          run_task(blob.content->read(at, std::as_writable_bytes(std::span(bytes)).subspan(at))));
      at += count;
    }
    return bytes;
  }
  int64_t count(std::string_view sql) {
    int64_t out = 0;
    (void)database->write_now([&](store::Tx& tx) {
      return tx.each(sql, {}, [&](const store::Row& row) { return out = row.integer(0), false; });
    });
    return out;
  }
  void sweep() {
    (void)run_task(registry->sweep());
    (void)run_task(objects->sweep());
  }
};

}  // namespace holdfast::registry
