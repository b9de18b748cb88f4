// Data assets and their versions: the domain, without a wire format. Any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "store/objects/object_store.h"

namespace holdfast::data {

struct Source {
  std::string account, container, prefix;
};

struct Version {
  std::string asset;
  int64_t number = 0;
  WallTime created;
  Source source;
  std::string digest;  // "sha256:…" of the manifest: the same files of the same writes
  uint64_t files = 0, bytes = 0;
};

struct File {
  std::string path;  // below the source's prefix
  uint64_t size = 0;
  uint64_t etag = 0;  // of the blob that it was
};

// 1 to 255 of A–Z a–z 0–9 . _ -, not beginning with a sign.
Result<void> check_asset_name(std::string_view name);

// Common failures: not_found, unavailable, internal.
class Assets {
 public:
  // Over the database and the objects of the blobs (component "data" is migrated). All must outlive
  // it.
  static Result<std::unique_ptr<Assets>> open(store::Database& database,
                                              store::ObjectStore& objects, const Clock& clock);

  // A version of what is under the prefix now; the last one where nothing has changed since.
  // not_found: no such container; precondition_failed "no_files"; invalid_argument: a bad name, or
  // a blob whose name is no relative path; too_large over a million files.
  Task<Result<Version>> create(std::string asset, Source source);
  // The newest version of every asset, by name.
  Task<Result<std::vector<Version>>> list();
  Task<Result<std::vector<Version>>> versions(std::string asset);  // newest first; not_found
  // `number` 0: the newest.
  Task<Result<Version>> find(std::string asset, int64_t number);
  // Up to `limit` files whose path is after `after`, in order.
  Task<Result<std::vector<File>>> files(std::string asset, int64_t number, std::string after,
                                        size_t limit);
  struct OpenFile {
    uint64_t size = 0;
    std::shared_ptr<store::OpenContent> content;
  };
  Task<Result<OpenFile>> open_file(std::string asset, int64_t number, std::string path);
  // Writes every file below `directory`, which must be there and empty; bytes written.
  Task<Result<uint64_t>> materialise(std::string asset, int64_t number, std::string directory,
                                     BlockingPool& pool);
  Task<Result<void>> remove(std::string asset, int64_t number);

 private:
  Assets(store::Database& database, store::ObjectStore& objects, const Clock& clock)
      : database_(database), objects_(objects), clock_(clock) {}

  store::Database& database_;
  store::ObjectStore& objects_;
  const Clock& clock_;
};

}  // namespace holdfast::data
