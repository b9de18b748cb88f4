// holdfast storage blob: listing, sending and fetching blobs.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <filesystem>

#include "base/digest.h"
#include "base/files.h"
#include "cli/context.h"
#include "cli/progress.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

constexpr uint64_t kBlock = 8 << 20;

struct Options {
  std::string account = "site1", container, blob, file, prefix;
};
Options options;

json::object describe(const std::string& name, const blob_client::BlobProperties& properties) {
  json::object row;
  row["name"] = name;
  row["size"] = properties.size;
  row["content_type"] = properties.content_type;
  row["content_md5"] = properties.content_md5;
  row["last_modified"] = format_rfc3339(properties.last_modified, 0);
  return row;
}

Task<Result<int>> blob_list(Context& context) {
  CO_TRY(auto client, co_await context.blobs(options.account));
  json::array rows;
  blob_client::ListOptions list;
  list.prefix = options.prefix;
  do {
    CO_TRY(const auto page, co_await client.list_blobs(options.container, list));
    for (const auto& blob : page.blobs) rows.push_back(describe(blob.name, blob.properties));
    list.marker = page.next_marker;
  } while (!list.marker.empty());
  context.print(rows, {{"BLOB", "name"},
                       {"SIZE", "size"},
                       {"TYPE", "content_type"},
                       {"MODIFIED", "last_modified"}});
  co_return kDone;
}
Task<Result<int>> blob_show(Context& context) {
  CO_TRY(auto client, co_await context.blobs(options.account));
  CO_TRY(const auto properties, co_await client.properties(options.container, options.blob));
  context.print(describe(options.blob, properties), {{"BLOB", "name"},
                                                     {"SIZE", "size"},
                                                     {"TYPE", "content_type"},
                                                     {"MD5", "content_md5"},
                                                     {"MODIFIED", "last_modified"}});
  co_return kDone;
}
Task<Result<int>> blob_delete(Context& context) {
  CO_TRY_VOID(context.confirm("delete the blob " + options.blob));
  CO_TRY(auto client, co_await context.blobs(options.account));
  CO_TRY_VOID(co_await client.delete_blob(options.container, options.blob));
  context.note("Blob " + options.blob + " is deleted.");
  co_return kDone;
}

Task<Result<int>> blob_upload(Context& context) {
  CO_TRY(Fd opened, open_file(options.file, O_RDONLY));
  struct stat info{};
  if (::fstat(opened.get(), &info) != 0 || !S_ISREG(info.st_mode))
    co_return fail(Code::invalid_argument, options.file + " is not a file");
  const auto size = static_cast<uint64_t>(info.st_size);
  const auto fd = std::make_shared<Fd>(std::move(opened));
  const std::string name =
      options.blob.empty() ? options.file.substr(options.file.rfind('/') + 1) : options.blob;
  CO_TRY(auto client, co_await context.blobs(options.account));
  Progress progress("upload " + name, size, context.globals().quiet);
  blob_client::BlobHeaders headers;
  if (size <= kBlock) {
    blob_client::Content whole = http::FileRange{fd, 0, size};
    CO_TRY_VOID(co_await client.put_blob(options.container, name, std::move(whole), headers));
  } else {
    const uint64_t block = std::max(kBlock, size / 50'000 + 1);
    std::vector<std::string> ids;
    const std::string run = hex(as_bytes(random_bytes(8)));
    for (uint64_t at = 0; at < size; at += block) {
      char number[16];
      std::snprintf(number, sizeof number, "-%06zu", ids.size());
      ids.push_back(base64(as_bytes(run + number)));
      blob_client::Content part = http::FileRange{fd, at, std::min(block, size - at)};
      CO_TRY_VOID(co_await client.put_block(options.container, name, ids.back(), std::move(part)));
      progress.at(std::min(size, at + block));
    }
    CO_TRY_VOID(co_await client.put_block_list(options.container, name, std::move(ids), headers));
  }
  progress.done();
  CO_TRY(const auto properties, co_await client.properties(options.container, name));
  context.print(describe(name, properties),
                {{"BLOB", "name"}, {"SIZE", "size"}, {"MODIFIED", "last_modified"}});
  co_return kDone;
}

// A file that is still being written: hidden and of its own name until it is complete, and gone
// where it never was.
class Part {
 public:
  Part(std::string path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  ~Part() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  int fd() const { return fd_.get(); }
  Result<void> becomes(const std::filesystem::path& target) {
    if (::fsync(fd_.get()) != 0)
      return std::unexpected(errno_error(errno, "sync " + target.string()));
    if (::rename(path_.c_str(), target.c_str()) != 0)
      return std::unexpected(errno_error(errno, "rename to " + target.string()));
    path_.clear();
    return sync_directory(target.has_parent_path() ? target.parent_path() : ".");
  }

 private:
  std::string path_;
  Fd fd_;
};

Task<Result<int>> blob_download(Context& context) {
  const std::filesystem::path target =
      options.file.empty() ? options.blob.substr(options.blob.rfind('/') + 1) : options.file;
  if (!safe_component(target.filename().string()))
    co_return fail(Code::invalid_argument, "usage",
                   "'" + target.string() + "' does not name a file; say one with --file");
  CO_TRY(auto client, co_await context.blobs(options.account));
  CO_TRY(auto response, co_await client.get(options.container, options.blob, {}));
  const std::string hidden = "." + hex(as_bytes(random_bytes(8))) + ".part";
  const std::string path = (target.parent_path() / hidden).string();
  CO_TRY(Fd opened, open_file(path, O_WRONLY | O_CREAT | O_EXCL));
  Part part(path, std::move(opened));
  const uint64_t size = parse_u64(response.headers.get_or("Content-Length", "0")).value_or(0);
  Progress progress("download " + options.blob, size, context.globals().quiet);
  std::vector<std::byte> piece(256 << 10);
  for (uint64_t at = 0;;) {
    CO_TRY(const size_t count, co_await response.body->read(piece));
    if (count == 0) break;
    CO_TRY_VOID(write_all(part.fd(), ByteView(piece.data(), count)));
    progress.at(at += count);
  }
  CO_TRY_VOID(part.becomes(target));
  progress.done();
  context.note(target.string() + ": " + format_size(size));
  co_return kDone;
}

void with_account(CLI::App* verb) {
  verb->add_option("--account", options.account, "The storage account")->capture_default_str();
}
void with_container(CLI::App* verb) {
  verb->add_option("--container", options.container, "The container")->required();
}

}  // namespace

void add_blob(CLI::App& storage, Chosen& chosen) {
  CLI::App* verb = nullptr;
  CLI::App* blob = storage.add_subcommand("blob", "Blobs of a container")->require_subcommand(1);
  verb = add_verb(*blob, chosen, "list", "The blobs",
                  "  holdfast storage blob list --container ready\n  holdfast storage blob list "
                  "--container ready --prefix digits- -o tsv",
                  blob_list);
  with_account(verb);
  with_container(verb);
  verb->add_option("--prefix", options.prefix, "Only names that begin so");
  for (const auto& [name, help, work] :
       {std::tuple{"show", "A blob's properties", Verb(blob_show)},
        std::tuple{"delete", "Deletes a blob", Verb(blob_delete)},
        std::tuple{"download", "Fetches a blob into a file", Verb(blob_download)}}) {
    verb = add_verb(*blob, chosen, name, help,
                    std::string("  holdfast storage blob ") + name +
                        " a.npy --container ready\n  holdfast storage blob " + name +
                        " a.npy --container ready --account press07",
                    work);
    with_account(verb);
    with_container(verb);
    verb->add_option("NAME", options.blob, "The blob")->required();
    if (std::string(name) == "download")
      verb->add_option("--file", options.file, "Where to; the blob's own name without it");
  }
  verb = add_verb(*blob, chosen, "upload", "Sends a file as a blob, large ones in blocks",
                  "  holdfast storage blob upload a.npy --container ready\n  holdfast storage blob "
                  "upload big.bin --container ready --name in/big.bin",
                  blob_upload);
  with_account(verb);
  with_container(verb);
  verb->add_option("FILE", options.file, "The file")->required();
  verb->add_option("--name", options.blob, "The blob's name; the file's without it");
}

}  // namespace holdfast::cli
