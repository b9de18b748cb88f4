// holdfast storage copy and sync: between files, folders, containers and blobs of any service.
#include "transfer/copy.h"

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <filesystem>

#include "cli/context.h"
#include "cli/place_client.h"
#include "cli/progress.h"
#include "transfer/download.h"
#include "transfer/sides.h"
#include "transfer/upload.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;
using transfer::Place;

struct TransferOptions {
  std::string source, target, piece = "8MiB";
  unsigned parallel = 4;
  bool recursive = false, remove_others = false, dry_run = false;
};
TransferOptions transfer_options;

Result<std::pair<Place, Place>> places() {
  TRY(Place source, transfer::parse_place(transfer_options.source));
  TRY(Place target, transfer::parse_place(transfer_options.target));
  if (source.is_local() && target.is_local())
    return fail(Code::invalid_argument, "usage",
                "one of both must be a blob: blob://ACCOUNT/CONTAINER/NAME or a URL");
  return std::pair(std::move(source), std::move(target));
}

// A target that names a folder gets the source's own name.
void complete(Place& target, const Place& source) {
  const std::string& from = source.is_local() ? source.path : source.blob;
  const std::string name = from.substr(from.rfind('/') + 1);
  std::error_code ignored;
  if (target.is_local()) {
    if (target.path.ends_with('/') || fs::is_directory(target.path, ignored))
      target.path = (fs::path(target.path) / name).string();
  } else if (target.blob.empty() || target.blob.ends_with('/')) {
    target.blob += name;
  }
}

Task<Result<json::object>> copy_one(Context& context, Place from, Place to) {
  CO_TRY(const uint64_t piece, parse_size(transfer_options.piece));
  Bar bar("copy " + printable(transfer::to_string(from)), context.globals().quiet);
  json::object row;
  if (from.is_local()) {
    CO_TRY(auto target, co_await open_place(context, to));
    transfer::UploadOptions upload;
    upload.piece = piece;
    upload.parallel = transfer_options.parallel;
    upload.moved = bar.moved();
    std::error_code unknown;
    const uint64_t size = fs::file_size(from.path, unknown);
    bar.begin()(unknown ? 0 : size);
    CO_TRY(const auto done, co_await transfer::upload_file(target.client, to.container, to.blob,
                                                           from.path, std::move(upload)));
    row["size"] = done.size;
    row["resumed_bytes"] = done.resumed;
  } else if (to.is_local()) {
    CO_TRY(auto source, co_await open_place(context, from));
    transfer::DownloadOptions download;
    download.piece = piece;
    download.parallel = transfer_options.parallel;
    download.begin = bar.begin();
    download.moved = bar.moved();
    CO_TRY(const auto done,
           co_await transfer::download_blob(source.client, from.container, from.blob, to.path,
                                            std::move(download)));
    row["size"] = done.properties.size;
    row["resumed_bytes"] = done.resumed;
  } else {
    CO_TRY(auto source, co_await open_place(context, from));
    CO_TRY(auto target, co_await open_place(context, to));
    transfer::CopyOptions copy;
    copy.source_url = source.url_for(target, context.clock().now())(from.blob);
    copy.piece = piece;
    copy.parallel = transfer_options.parallel;
    copy.begin = bar.begin();
    copy.moved = bar.moved();
    transfer::BlobAt at(source.client, from.container, from.blob);
    transfer::BlobAt into(target.client, to.container, to.blob);
    CO_TRY(const auto done,
           co_await transfer::copy_blob(std::move(at), std::move(into), std::move(copy)));
    row["size"] = done.size;
    row["resumed_bytes"] = done.resumed;
    row["by_service"] = done.by_service;
  }
  bar.done();
  row["source"] = transfer::to_string(from);
  row["target"] = transfer::to_string(to);
  co_return row;
}

// The two sides of a sync, and what each holds.
struct Ends {
  std::unique_ptr<PlaceClient> source, target;  // of the sides that are blobs
  std::unique_ptr<transfer::Sides> sides;
  std::vector<transfer::Entry> from, to;
  std::vector<std::string> left_out;
};

std::string prefix_of(const Place& place) {
  return place.blob.empty() || place.blob.ends_with('/') ? place.blob : place.blob + "/";
}

Task<Result<std::vector<transfer::Entry>>> entries_of(Ends& ends, const Place& place,
                                                      const std::unique_ptr<PlaceClient>& client,
                                                      bool is_source) {
  if (client)
    co_return co_await transfer::list_entries(client->client, place.container, prefix_of(place));
  auto tree = transfer::read_tree(place.path);
  // A target folder is made when the first file goes there.
  if (!tree && !is_source && tree.error().code() == Code::not_found)
    co_return std::vector<transfer::Entry>();
  if (!tree) co_return std::unexpected(tree.error());
  if (is_source) ends.left_out = std::move(tree->left_out);
  co_return std::move(tree->files);
}

Task<Result<void>> open_ends(Context& context, Ends& ends, const Place& source, const Place& target,
                             bool list_target) {
  transfer::Pace pace;
  CO_TRY(pace.piece, parse_size(transfer_options.piece));
  pace.parallel = transfer_options.parallel;
  if (!source.is_local()) {
    CO_TRY(PlaceClient opened, co_await open_place(context, source));
    ends.source = std::make_unique<PlaceClient>(std::move(opened));
  }
  if (!target.is_local()) {
    CO_TRY(PlaceClient opened, co_await open_place(context, target));
    ends.target = std::make_unique<PlaceClient>(std::move(opened));
  }
  if (source.is_local()) {
    transfer::Below to(ends.target->client, target.container, prefix_of(target));
    ends.sides = std::make_unique<transfer::FolderToContainer>(source.path, std::move(to), pace);
  } else if (target.is_local()) {
    transfer::Below from(ends.source->client, source.container, prefix_of(source));
    ends.sides = std::make_unique<transfer::ContainerToFolder>(std::move(from), target.path, pace);
  } else {
    transfer::Below from(ends.source->client, source.container, prefix_of(source));
    transfer::Below to(ends.target->client, target.container, prefix_of(target));
    ends.sides = std::make_unique<transfer::ContainerToContainer>(
        std::move(from), std::move(to), ends.source->url_for(*ends.target, context.clock().now()),
        pace);
  }
  CO_TRY(ends.from, co_await entries_of(ends, source, ends.source, true));
  if (list_target) {
    CO_TRY(ends.to, co_await entries_of(ends, target, ends.target, false));
  }
  co_return Result<void>();
}

Task<Result<int>> show_plan(Context& context, Ends& ends, const transfer::Plan& plan) {
  json::array rows;
  for (const transfer::Step& step : plan.steps) {
    if (step.kind == transfer::Step::Kind::compare) {
      CO_TRY(const bool same, co_await ends.sides->same(step));
      if (same) continue;
    }
    json::object row;
    row["action"] = step.kind == transfer::Step::Kind::remove ? "delete" : "send";
    row["name"] = step.entry.name;
    row["size"] = step.entry.size;
    rows.push_back(std::move(row));
  }
  context.print(rows, {{"ACTION", "action"}, {"NAME", "name"}, {"SIZE", "size"}});
  co_return kDone;
}

Task<Result<int>> level(Context& context, Place source, Place target, bool compare) {
  Ends ends;
  CO_TRY_VOID(co_await open_ends(context, ends, source, target, compare));
  transfer::Plan plan = transfer::plan_sync(ends.from, ends.to, transfer_options.remove_others);
  if (transfer_options.dry_run) co_return co_await show_plan(context, ends, plan);
  size_t removals = 0;
  for (const transfer::Step& step : plan.steps)
    removals += step.kind == transfer::Step::Kind::remove ? 1 : 0;
  if (removals > 0) {
    CO_TRY_VOID(context.confirm("delete " + std::to_string(removals) + " in " +
                                transfer::to_string(target) + " that the source has not"));
  }
  Progress progress(compare ? "sync" : "copy", plan.bytes, context.globals().quiet);
  uint64_t at = 0;
  transfer::SyncOptions sync;
  sync.parallel = transfer_options.parallel;
  sync.moved = [&progress, &at](uint64_t bytes) { progress.at(at += bytes); };
  const auto outcome = co_await transfer::run_sync(*ends.sides, std::move(plan), std::move(sync));
  progress.done();
  json::object row;
  row["sent"] = outcome.sent;
  row["sent_bytes"] = outcome.bytes;
  row["same"] = outcome.same;
  row["deleted"] = outcome.removed;
  row["left_out"] = ends.left_out.size();
  json::array failed;
  for (const auto& failure : outcome.failed) {
    failed.push_back(json::object{{"name", failure.name}, {"error", failure.error.message()}});
    context.note(failure.name + ": " + failure.error.message());
  }
  row["failed"] = failed.size();
  row["failures"] = std::move(failed);
  if (!ends.left_out.empty())
    context.note(std::to_string(ends.left_out.size()) +
                 " left out, which are no files or have names that no blob can have: " +
                 ends.left_out.front() + (ends.left_out.size() > 1 ? " …" : ""));
  context.print(row, {{"SENT", "sent"},
                      {"SIZE", "sent_bytes"},
                      {"SAME", "same"},
                      {"DELETED", "deleted"},
                      {"FAILED", "failed"}});
  if (outcome.ended_early) co_return exit_code_of(outcome.failed.front().error);
  co_return outcome.failed.empty() ? kDone : kPartly;
}

Task<Result<int>> copy(Context& context) {
  CO_TRY(auto both, places());
  auto& [source, target] = both;
  if (transfer_options.recursive) co_return co_await level(context, source, target, false);
  if (!source.is_local() && source.blob.empty())
    co_return fail(Code::invalid_argument, "usage",
                   transfer::to_string(source) + " is a whole container; add --recursive");
  complete(target, source);
  CO_TRY(const json::object row, co_await copy_one(context, source, target));
  context.print(row, {{"SOURCE", "source"}, {"TARGET", "target"}, {"SIZE", "size"}});
  co_return kDone;
}

Task<Result<int>> sync(Context& context) {
  CO_TRY(const auto both, places());
  co_return co_await level(context, both.first, both.second, true);
}

void with_places(CLI::App* verb) {
  verb->add_option("SOURCE", transfer_options.source,
                   "A path, blob://ACCOUNT/CONTAINER/NAME or a URL")
      ->required();
  verb->add_option("TARGET", transfer_options.target, "The same; a folder or prefix ends with '/'")
      ->required();
  verb->add_option("--parallel", transfer_options.parallel, "Files, and pieces of each, at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 16));
  verb->add_option("--piece", transfer_options.piece, "Bytes of a piece")->capture_default_str();
}

}  // namespace

void add_transfer(CLI::App& storage, Chosen& chosen) {
  CLI::App* verb = add_verb(
      storage, chosen, "copy", "Copies a file or blob to any other place; resumes what was cut",
      "  holdfast storage copy big.bin blob://site1/ready/in/\n  holdfast storage copy "
      "\"https://site1.blob.example/c/a.bin?SIGNATURE\" ./",
      copy);
  with_places(verb);
  verb->add_flag("-r,--recursive", transfer_options.recursive,
                 "A folder, or all blobs below a prefix");
  verb = add_verb(storage, chosen, "sync",
                  "Sends what is new or changed, by size and MD5, from a folder or container",
                  "  holdfast storage sync ./images blob://site1/images\n  holdfast storage sync "
                  "blob://site1/images/2026 ./2026 --delete --yes",
                  sync);
  with_places(verb);
  verb->add_flag("--delete", transfer_options.remove_others, "Deletes what the source has not");
  verb->add_flag("--dry-run", transfer_options.dry_run, "Shows what would be done");
}

}  // namespace holdfast::cli
