// holdfast storage blob: listing, sending and fetching blobs.
#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <filesystem>

#include "base/files.h"
#include "cli/context.h"
#include "cli/progress.h"
#include "transfer/download.h"
#include "transfer/upload.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

struct BlobOptions {
  std::string account = "site1", container, blob, file, prefix, content_type, piece = "8MiB";
  std::vector<std::string> metadata;
  unsigned parallel = 4;
  bool no_overwrite = false;
};
BlobOptions blob_options;

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
  CO_TRY(auto client, co_await context.blobs(blob_options.account));
  json::array rows;
  blob_client::ListOptions list;
  list.prefix = blob_options.prefix;
  do {
    CO_TRY(const auto page, co_await client.list_blobs(blob_options.container, list));
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
  CO_TRY(auto client, co_await context.blobs(blob_options.account));
  CO_TRY(const auto properties,
         co_await client.properties(blob_options.container, blob_options.blob));
  context.print(describe(blob_options.blob, properties), {{"BLOB", "name"},
                                                          {"SIZE", "size"},
                                                          {"TYPE", "content_type"},
                                                          {"MD5", "content_md5"},
                                                          {"MODIFIED", "last_modified"}});
  co_return kDone;
}
Task<Result<int>> blob_delete(Context& context) {
  CO_TRY_VOID(context.confirm("delete the blob " + blob_options.blob));
  CO_TRY(auto client, co_await context.blobs(blob_options.account));
  CO_TRY_VOID(co_await client.delete_blob(blob_options.container, blob_options.blob));
  context.note("Blob " + blob_options.blob + " is deleted.");
  co_return kDone;
}

blob_client::Metadata metadata_of(const std::vector<std::string>& pairs) {
  blob_client::Metadata out;
  for (const std::string& pair : pairs) {
    const size_t equals = pair.find('=');
    out.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return out;
}

Task<Result<int>> blob_upload(Context& context) {
  const std::filesystem::path file(blob_options.file);
  const std::string name = blob_options.blob.empty() ? file.filename().string() : blob_options.blob;
  std::error_code unknown;  // the upload itself tells what is wrong with the file
  const uint64_t size = std::filesystem::file_size(file, unknown);
  transfer::UploadOptions upload;
  CO_TRY(upload.piece, parse_size(blob_options.piece));
  upload.parallel = blob_options.parallel;
  upload.headers.content_type = blob_options.content_type;
  upload.headers.metadata = metadata_of(blob_options.metadata);
  if (blob_options.no_overwrite) upload.headers.if_none_match = "*";
  CO_TRY(auto client, co_await context.blobs(blob_options.account));
  Progress progress("upload " + printable(name), unknown ? 0 : size, context.globals().quiet);
  uint64_t at = 0;
  upload.moved = [&progress, &at](uint64_t bytes) { progress.at(at += bytes); };
  CO_TRY(const auto done, co_await transfer::upload_file(client, blob_options.container, name,
                                                         blob_options.file, std::move(upload)));
  progress.done();
  CO_TRY(const auto properties, co_await client.properties(blob_options.container, name));
  json::object row = describe(name, properties);
  row["resumed_bytes"] = done.resumed;
  context.print(row, {{"BLOB", "name"}, {"SIZE", "size"}, {"MODIFIED", "last_modified"}});
  co_return kDone;
}

Task<Result<int>> blob_download(Context& context) {
  const std::filesystem::path target =
      blob_options.file.empty() ? blob_options.blob.substr(blob_options.blob.rfind('/') + 1)
                                : blob_options.file;
  if (!safe_component(target.filename().string()))
    co_return fail(Code::invalid_argument, "usage",
                   "'" + target.string() + "' does not name a file; say one with --file");
  transfer::DownloadOptions download;
  CO_TRY(download.piece, parse_size(blob_options.piece));
  download.parallel = blob_options.parallel;
  Bar bar("download " + printable(blob_options.blob), context.globals().quiet);
  download.begin = bar.begin();
  download.moved = bar.moved();
  CO_TRY(auto client, co_await context.blobs(blob_options.account));
  CO_TRY(const auto done,
         co_await transfer::download_blob(client, blob_options.container, blob_options.blob, target,
                                          std::move(download)));
  bar.done();
  context.note(target.string() + ": " + format_size(done.properties.size) +
               (done.resumed > 0 ? ", " + format_size(done.resumed) + " of it from a run before"
                                 : std::string()));
  co_return kDone;
}

void with_account(CLI::App* verb) {
  verb->add_option("--account", blob_options.account, "The storage account")->capture_default_str();
}
void with_container(CLI::App* verb) {
  verb->add_option("--container", blob_options.container, "The container")->required();
}

void with_pace(CLI::App* verb) {
  verb->add_option("--parallel", blob_options.parallel, "Pieces on their way at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 16));
  verb->add_option("--piece", blob_options.piece, "Bytes of a piece")->capture_default_str();
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
  verb->add_option("--prefix", blob_options.prefix, "Only names that begin so");
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
    verb->add_option("NAME", blob_options.blob, "The blob")->required();
    if (std::string(name) == "download") {
      verb->add_option("--file", blob_options.file, "Where to; the blob's own name without it");
      with_pace(verb);
    }
  }
  verb = add_verb(*blob, chosen, "upload",
                  "Sends a file as a blob; goes on where a run before was cut",
                  "  holdfast storage blob upload a.npy --container ready\n  holdfast storage blob "
                  "upload big.bin --container ready --name in/big.bin",
                  blob_upload);
  with_account(verb);
  with_container(verb);
  verb->add_option("FILE", blob_options.file, "The file")->required();
  verb->add_option("--name", blob_options.blob, "The blob's name; the file's without it");
  verb->add_option("--content-type", blob_options.content_type,
                   "application/octet-stream without it");
  verb->add_option("--metadata", blob_options.metadata, "NAME=VALUE, as often as wanted")
      ->check(CLI::Validator(
          [](const std::string& pair) {
            const size_t equals = pair.find('=');
            return equals == 0 || equals == std::string::npos ? "NAME=VALUE, not '" + pair + "'"
                                                              : std::string();
          },
          "NAME=VALUE"));
  verb->add_flag("--no-overwrite", blob_options.no_overwrite,
                 "Only where there is no such blob yet");
  with_pace(verb);
}

}  // namespace holdfast::cli
