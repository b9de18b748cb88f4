#include "transfer/sides.h"

#include <unistd.h>

#include "base/files.h"
#include "transfer/download.h"
#include "transfer/upload.h"

namespace holdfast::transfer {
namespace {

namespace fs = std::filesystem;

// No folder between the root and the file may be a link: it could lead anywhere.
Result<void> check_no_link(const fs::path& root, const std::string& name) {
  fs::path at = root;
  const fs::path relative = fs::path(name).parent_path();
  for (const fs::path& part : relative) {
    at /= part;
    std::error_code error;
    if (fs::is_symlink(fs::symlink_status(at, error)))
      return fail(Code::invalid_argument,
                  at.string() + " is a link; nothing is written through it");
  }
  return {};
}

Result<void> make_room(const fs::path& root, const std::string& name) {
  TRY_VOID(check_file_name(name));
  TRY_VOID(check_no_link(root, name));
  return make_directories((root / name).parent_path());
}

Result<void> remove_file(const fs::path& root, const std::string& name) {
  TRY_VOID(check_no_link(root, name));
  const fs::path path = root / name;
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return std::unexpected(errno_error(errno, "remove " + path.string()));
  // Folders that are empty now go with it.
  for (fs::path folder = fs::path(name).parent_path(); !folder.empty();
       folder = folder.parent_path())
    if (::rmdir((root / folder).c_str()) != 0) break;
  return {};
}

}  // namespace

FolderToContainer::FolderToContainer(fs::path root, Below to, Pace pace)
    : root_(std::move(root)), to_(std::move(to)), pace_(pace), pool_("files", 2) {}

Task<Result<void>> FolderToContainer::send(Entry entry, Moved moved) {
  UploadOptions options;
  options.piece = pace_.piece;
  options.parallel = pace_.parallel;
  options.moved = std::move(moved);
  CO_TRY_VOID(co_await upload_file(to_.client, to_.container, to_.prefix + entry.name,
                                   (root_ / entry.name).string(), std::move(options)));
  co_return Result<void>();
}
Task<Result<void>> FolderToContainer::remove(Entry entry) {
  co_return co_await to_.client.delete_blob(to_.container, to_.prefix + entry.name);
}
Task<Result<bool>> FolderToContainer::same(Step step) {
  if (step.target.empty()) co_return false;
  const fs::path file = root_ / step.entry.name;
  std::function<Result<std::string>()> work = [file] { return md5_of(file); };
  CO_TRY(const std::string md5, co_await pool_.run(std::move(work)));
  co_return md5 == step.target;
}

ContainerToFolder::ContainerToFolder(Below from, fs::path root, Pace pace)
    : from_(std::move(from)), root_(std::move(root)), pace_(pace), pool_("files", 2) {}

Task<Result<void>> ContainerToFolder::send(Entry entry, Moved moved) {
  std::function<Result<void>()> work = [this, entry] { return make_room(root_, entry.name); };
  CO_TRY_VOID(co_await pool_.run(std::move(work)));
  DownloadOptions options;
  options.piece = pace_.piece;
  options.parallel = pace_.parallel;
  options.moved = std::move(moved);
  CO_TRY_VOID(co_await download_blob(from_.client, from_.container, from_.prefix + entry.name,
                                     root_ / entry.name, std::move(options)));
  co_return Result<void>();
}
Task<Result<void>> ContainerToFolder::remove(Entry entry) {
  std::function<Result<void>()> work = [this, entry] { return remove_file(root_, entry.name); };
  co_return co_await pool_.run(std::move(work));
}
Task<Result<bool>> ContainerToFolder::same(Step step) {
  if (step.entry.md5.empty()) co_return false;
  const fs::path file = root_ / step.entry.name;
  std::function<Result<std::string>()> work = [file] { return md5_of(file); };
  CO_TRY(const std::string md5, co_await pool_.run(std::move(work)));
  co_return md5 == step.entry.md5;
}

ContainerToContainer::ContainerToContainer(Below from, Below to, SourceUrl source_url, Pace pace)
    : from_(std::move(from)), to_(std::move(to)), source_url_(std::move(source_url)), pace_(pace) {}

Task<Result<void>> ContainerToContainer::send(Entry entry, Moved moved) {
  CopyOptions options;
  options.source_url = source_url_(from_.prefix + entry.name);
  options.piece = pace_.piece;
  options.parallel = pace_.parallel;
  options.moved = std::move(moved);
  BlobAt from(from_.client, from_.container, from_.prefix + entry.name);
  BlobAt to(to_.client, to_.container, to_.prefix + entry.name);
  CO_TRY_VOID(co_await copy_blob(std::move(from), std::move(to), std::move(options)));
  co_return Result<void>();
}
Task<Result<void>> ContainerToContainer::remove(Entry entry) {
  co_return co_await to_.client.delete_blob(to_.container, to_.prefix + entry.name);
}
Task<Result<bool>> ContainerToContainer::same(Step) {
  co_return false;  // of one size, and one of them without an MD5: nothing says that they are the
                    // same
}

}  // namespace holdfast::transfer
