#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "store/objects/indexed_objects.h"
#include "store/objects/planted.h"
#include "store/objects/segments.h"
#include "store/objects/writer.h"

namespace holdfast::store {
namespace {

namespace fs = std::filesystem;

constexpr int kContentsFormat = 2;             // 1 had no checksums of blocks, and no VERSION file
constexpr uint64_t kMoveLimit = 256ull << 20;  // moved together at a sweep

class FileObjects final : public IndexedObjects {
 public:
  FileObjects(FileObjectsOptions options, Database& database, int64_t last_segment)
      : IndexedObjects(database, options.threads),
        options_(std::move(options)),
        space_(options_.directory, options_.reserve),
        segments_(std::make_shared<Segments>(options_.directory + "/segments",
                                             options_.segment_limit, last_segment)) {}

  Task<Result<std::unique_ptr<ContentWriter>>> create(std::optional<uint64_t> size_hint) override {
    CO_TRY_VOID(space_.has(size_hint.value_or(0)));
    co_return std::make_unique<FileContentWriter>(*segments_, pool(), space_,
                                                  options_.directory + "/files",
                                                  options_.small_limit, size_hint.value_or(0));
  }

 private:
  Result<std::shared_ptr<Fd>> locate(const StagedContent& staged) override {
    if (staged.segment > 0) return segments_->file(staged.segment);
    const std::string path = options_.directory + "/files/" + staged.file;
    TRY(Fd fd, open_file(planted::place_of(path), O_RDONLY));
    return std::make_shared<Fd>(std::move(fd));
  }
  void erase(const content_index::Swept& swept) override {
    for (const std::string& file : swept.files)
      ::unlink((options_.directory + "/files/" + file).c_str());
    for (int64_t segment : swept.segments) (void)segments_->remove(segment);
  }

  Task<Result<uint64_t>> settle() override {
    CO_TRY_VOID(co_await drop_empty());
    const auto freed = co_await compact();
    // On a full disk what there is stays as it is.
    if (!freed && freed.error().reason() == "disk_full") co_return uint64_t{0};
    co_return freed;
  }

  // A segment that was emptied by a move goes at the sweep after it, when no reader still looks for
  // a content at its old place.
  Task<Result<void>> drop_empty() {
    const int64_t before = segments_->current();
    auto find = [before](Tx& tx) { return content_index::segments_with(tx, 0, before); };
    CO_TRY(const auto empty, co_await database().read(std::move(find)));
    for (const auto& segment : empty) {
      if (segment.live > 0) continue;  // of empty contents
      auto remove = [this, &segment] { return segments_->remove(segment.number); };
      const bool gone = co_await pool().run(std::move(remove));
      if (!gone) continue;
      auto forget = [&segment](Tx& tx) {
        return content_index::forget_segment(tx, segment.number);
      };
      CO_TRY_VOID(co_await database().write(std::move(forget)));
    }
    co_return Result<void>();
  }

  // What is left of segments of which less than half is held moves together into the present one.
  Task<Result<uint64_t>> compact() {
    const int64_t before = segments_->current();
    const uint64_t most = options_.segment_limit / 2;
    auto find = [most, before](Tx& tx) { return content_index::segments_with(tx, most, before); };
    CO_TRY(const auto sparse, co_await database().read(std::move(find)));
    uint64_t moved = 0, freed = 0;
    for (const auto& segment : sparse) {
      if (segment.live == 0 || moved >= kMoveLimit) continue;
      const auto file = segments_->file(segment.number);
      struct stat info{};
      if (!file || ::fstat((*file)->get(), &info) != 0) continue;  // damage, which reads tell
      const auto size = static_cast<uint64_t>(info.st_size);
      if (size < segment.bytes * 2) continue;
      auto list = [&segment](Tx& tx) { return content_index::held_by(tx, segment.number); };
      CO_TRY(const auto held, co_await database().read(std::move(list)));
      for (const StagedContent& content : held) CO_TRY_VOID(co_await move(content, *file));
      moved += segment.bytes;
      freed += size - segment.bytes;
    }
    co_return freed;
  }

  // A damaged content stays where it is, and its segment with it.
  Task<Result<void>> move(const StagedContent& content, std::shared_ptr<Fd> file) {
    std::string bytes(content.size, '\0');
    auto read = [&] {
      return CheckedPiece({content, file}, *this).read(0, std::as_writable_bytes(std::span(bytes)));
    };
    if (!co_await pool().run(std::move(read))) co_return Result<void>();
    const StagedContent to = segments_->append(std::move(bytes));
    auto work = [&content, &to](Tx& tx) {
      write_before_commit(tx, to);
      return content_index::move(tx, content, to);
    };
    co_return co_await database().write(std::move(work));
  }

  const FileObjectsOptions options_;
  const DiskSpace space_;
  const std::shared_ptr<Segments> segments_;
};

// The newest segment that the index knows. An index without rows beside stored bytes is a wrong or
// emptied database, not a hub without blobs.
Result<int64_t> last_segment(const std::string& directory, Database& database) {
  int64_t last = 0;
  bool indexed = false;
  TRY_VOID(database.write_now([&](Tx& tx) -> Result<void> {
    TRY_VOID(tx.each("SELECT coalesce(max(number), 0) FROM segment", {},
                     [&](const Row& row) { return last = row.integer(0), false; }));
    return tx.each("SELECT 1 FROM content LIMIT 1", {},
                   [&](const Row&) { return indexed = true, false; });
  }));
  std::error_code error;
  if (!indexed && last == 0 && !fs::is_empty(directory + "/segments", error)) {
    return fail(Code::internal, directory +
                                    " holds contents, and the database knows none; it is not "
                                    "theirs. Restore the database, or move the contents away");
  }
  return last;
}

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_file_objects(FileObjectsOptions options,
                                                       Database& database) {
  TRY_VOID(claim_data_directory(options.directory, "contents", kContentsFormat));
  TRY_VOID(make_directories(options.directory + "/segments", 0750));
  TRY_VOID(make_directories(options.directory + "/files", 0750));
  TRY_VOID(content_index::migrate(database));
  TRY(const int64_t last, last_segment(options.directory, database));
  return std::unique_ptr<ObjectStore>(new FileObjects(std::move(options), database, last));
}

}  // namespace holdfast::store
