// What a check found, put right as far as it can be.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/files.h"
#include "store/objects/care.h"
#include "store/objects/content.h"
#include "store/objects/content_index.h"

namespace holdfast::store {
namespace {

struct Quiet final : DamageReports {
  void damaged(ContentId, uint64_t, const std::string&) override {}
};

// The damaged bytes as they are, for whoever wants to save something of them.
Result<void> copy_of(int fd, const StagedContent& content, const std::string& path) {
  std::string bytes;
  struct stat info{};
  if (::fstat(fd, &info) != 0) return std::unexpected(errno_error(errno, "stat a segment"));
  const auto end =
      std::min<uint64_t>(static_cast<uint64_t>(info.st_size), content.offset + content.size);
  bytes.resize(end - std::min(end, content.offset));
  TRY_VOID(read_exact(fd, std::as_writable_bytes(std::span(bytes)), content.offset));
  return replace_file(path, as_bytes(bytes), 0640);
}

}  // namespace

// A file gets a second name, a content of a segment a copy: what can still be read of it stays
// readable, and it is there when the content goes.
Task<Result<void>> ContentCare::quarantine(const StagedContent& content, StorageRepair& into) {
  bool kept = false;
  auto work = [&, this]() -> Result<void> {
    Quiet quiet;
    TRY(Fd fd, open_bytes(content));
    const auto shared = std::make_shared<Fd>(std::move(fd));
    if (CheckedPiece({content, shared}, quiet).verify()) return {};
    TRY_VOID(make_directories(directory_ + "/quarantine", 0750));
    const std::string path = directory_ + "/quarantine/content-" + std::to_string(content.id);
    kept = true;
    if (content.segment > 0) return copy_of(shared->get(), content, path);
    if (::link((directory_ + "/" + path_of(content)).c_str(), path.c_str()) != 0 && errno != EEXIST)
      return std::unexpected(errno_error(errno, "link " + path));
    return sync_directory(directory_ + "/quarantine");
  };
  const auto done = co_await pool_.run(std::move(work));
  if (!done && done.error().code() == Code::not_found) {
    ++into.missing;
    co_return Result<void>();
  }
  if (!done) co_return done;
  if (kept) {
    ++into.quarantined;
    co_return Result<void>();
  }
  auto clear = [&content](Tx& tx) -> Result<void> {
    TRY_VOID(tx.run("DELETE FROM content_damage WHERE content = ?", {content.id}));
    return {};
  };
  CO_TRY_VOID(co_await database_.write(std::move(clear)));
  ++into.cleared;
  co_return Result<void>();
}

Task<Result<void>> ContentCare::remove_orphans(StorageRepair& into) {
  for (uint64_t before = UINT64_MAX; into.removed != before;) {
    before = into.removed;
    StorageCheck found;
    CO_TRY_VOID(co_await orphans(found));
    auto remove = [this, &found, &into] {
      for (const StorageFinding& orphan : found.findings) {
        if (::unlink((directory_ + "/" + orphan.file).c_str()) != 0) continue;
        ++into.removed;
        into.freed_bytes += orphan.size;
      }
    };
    co_await pool_.run(std::move(remove));
  }
  co_return Result<void>();
}

Task<Result<StorageRepair>> ContentCare::repair() {
  StorageRepair out;
  CO_TRY_VOID(co_await remove_orphans(out));
  auto find = [](Tx& tx) -> Result<std::vector<StagedContent>> {
    std::vector<int64_t> ids;
    TRY_VOID(tx.each("SELECT DISTINCT content FROM content_damage", {}, [&](const Row& row) {
      ids.push_back(row.integer(0));
      return true;
    }));
    std::vector<StagedContent> out;
    for (const int64_t id : ids) {
      TRY(auto next, content_index::stored_after(tx, id - 1, 1));
      if (!next.empty() && next.front().id == id) out.push_back(std::move(next.front()));
    }
    return out;
  };
  CO_TRY(const auto damaged, co_await database_.read(std::move(find)));
  for (const StagedContent& content : damaged) CO_TRY_VOID(co_await quarantine(content, out));
  co_return out;
}

}  // namespace holdfast::store
