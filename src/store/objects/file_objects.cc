#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "store/objects/indexed_objects.h"
#include "store/objects/segments.h"
#include "store/objects/writer.h"

namespace holdfast::store {
namespace {

namespace fs = std::filesystem;

class FileObjects final : public IndexedObjects {
 public:
  FileObjects(FileObjectsOptions options, Database& database, int64_t last_segment)
      : IndexedObjects(database, options.threads),
        options_(std::move(options)),
        segments_(options_.directory + "/segments", options_.segment_limit, last_segment) {}

  Task<Result<std::unique_ptr<ContentWriter>>> create(std::optional<uint64_t>) override {
    co_return std::make_unique<FileContentWriter>(segments_, pool(), options_.directory + "/files",
                                                  options_.small_limit);
  }

 private:
  Result<std::shared_ptr<Fd>> locate(const StagedContent& staged) override {
    if (staged.segment > 0) return segments_.file(staged.segment);
    TRY(Fd fd, open_file(options_.directory + "/files/" + staged.file, O_RDONLY));
    return std::make_shared<Fd>(std::move(fd));
  }
  void erase(const content_index::Swept& swept) override {
    for (const std::string& file : swept.files)
      ::unlink((options_.directory + "/files/" + file).c_str());
    for (int64_t segment : swept.segments) (void)segments_.remove(segment);
  }

  const FileObjectsOptions options_;
  Segments segments_;
};

// Files that no row names are left from a stop between their writing and their commit.
Result<int64_t> reclaim(const std::string& directory, Database& database) {
  std::set<std::string> files;
  std::set<int64_t> live;
  int64_t last = 0;
  TRY_VOID(database.write_now([&](Tx& tx) -> Result<void> {
    TRY_VOID(tx.each("SELECT file FROM content WHERE kind = 2", {},
                     [&](const Row& row) { return files.insert(std::string(row.text(0))), true; }));
    return tx.each("SELECT number, live FROM segment", {}, [&](const Row& row) {
      if (row.integer(1) > 0) live.insert(row.integer(0));
      last = std::max(last, row.integer(0));
      return true;
    });
  }));
  // An index without rows beside stored bytes is a wrong or emptied database, not a hub without
  // blobs.
  std::error_code error;
  const bool indexed = !files.empty() || last > 0;
  if (!indexed && !fs::is_empty(directory + "/segments", error)) {
    return fail(Code::internal, directory +
                                    " holds contents, and the database knows none; it is not "
                                    "theirs. Restore the database, or move the contents away");
  }
  for (const auto& folder : fs::directory_iterator(directory + "/files", error)) {
    for (const auto& file : fs::directory_iterator(folder.path(), error)) {
      const std::string name =
          folder.path().filename().string() + "/" + file.path().filename().string();
      if (!files.contains(name)) fs::remove(file.path(), error);
    }
  }
  for (const auto& file : fs::directory_iterator(directory + "/segments", error)) {
    const auto number = static_cast<int64_t>(parse_u64(file.path().stem().string()).value_or(0));
    last = std::max(last, number);
    if (!live.contains(number)) fs::remove(file.path(), error);
  }
  return last;
}

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_file_objects(FileObjectsOptions options,
                                                       Database& database) {
  TRY_VOID(make_directories(options.directory + "/segments", 0750));
  TRY_VOID(make_directories(options.directory + "/files", 0750));
  TRY_VOID(content_index::migrate(database));
  TRY(const int64_t last, reclaim(options.directory, database));
  return std::unique_ptr<ObjectStore>(new FileObjects(std::move(options), database, last));
}

}  // namespace holdfast::store
