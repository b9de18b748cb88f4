// holdfast data and registry: data assets, and the hub's images.
#include <fcntl.h>

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/files.h"
#include "cli/answer.h"
#include "cli/context.h"
#include "cli/progress.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

struct DataOptions {
  std::string name, version = "latest", account = "site1", container, prefix, to, repository, tag;
};
DataOptions data_options;

const std::vector<Column> kVersion = {
    {"ASSET", "name"},      {"VERSION", "version"},     {"FILES", "files"},  {"SIZE", "bytes"},
    {"CREATED", "created"}, {"CONTAINER", "container"}, {"PREFIX", "prefix"}};

std::string version_path() {
  return "/api/v1/data/" + percent_encode(data_options.name) + "/versions/" +
         percent_encode(data_options.version);
}

Task<Result<int>> list(Context& context) {
  const bool all = data_options.name.empty();
  CO_TRY(const json::value found,
         co_await context.hub_call(
             "GET", "/api/v1/data" + (all ? "" : "/" + percent_encode(data_options.name))));
  CO_TRY(const json::array rows, list_of(found, all ? "assets" : "versions"));
  context.print(rows, kVersion);
  co_return kDone;
}

Task<Result<int>> create(Context& context) {
  json::object body;
  body["name"] = data_options.name;
  body["account"] = data_options.account;
  body["container"] = data_options.container;
  body["prefix"] = data_options.prefix;
  CO_TRY(const json::value made,
         co_await context.hub_call("POST", "/api/v1/data", json::serialize(body)));
  context.print(made, kVersion);
  co_return kDone;
}

Task<Result<json::array>> files_of(Context& context) {
  json::array rows;
  std::string after;
  do {
    CO_TRY(const json::value page,
           co_await context.hub_call(
               "GET", version_path() + "/files?limit=5000&after=" + percent_encode(after)));
    CO_TRY(const json::array files, list_of(page, "files"));
    rows.insert(rows.end(), files.begin(), files.end());
    CO_TRY(after, text_of(page, "next"));
  } while (!after.empty());
  co_return rows;
}

Task<Result<int>> show(Context& context) {
  CO_TRY(json::value found, co_await context.hub_call("GET", version_path()));
  if (context.form() != Form::table) {
    CO_TRY(json::array files, co_await files_of(context));
    found.as_object()["manifest"] = std::move(files);
  }
  context.print(found, kVersion);
  co_return kDone;
}

Task<Result<void>> fetch(Context& context, const std::string& path, Progress& progress,
                         uint64_t& done) {
  if (!safe_relative_path(path))
    co_return fail(Code::internal, "the hub names a file '" + path + "' that is no file's path");
  CO_TRY(const std::string hub, context.hub());
  CO_TRY(const std::string token, context.token());
  http::ClientRequest request("GET", hub + version_path() + "/files/" + percent_encode(path, "/"));
  request.headers.set("Authorization", "Bearer " + token);
  CO_TRY(auto answer, co_await context.http().send(std::move(request)));
  if (answer.status != 200)
    co_return fail(Code::unavailable,
                   "'" + path + "': the hub answered with status " + std::to_string(answer.status));
  const std::filesystem::path target = std::filesystem::path(data_options.to) / path;
  CO_TRY_VOID(make_directories(target.parent_path()));
  const std::filesystem::path part = target.string() + ".part";
  {
    CO_TRY(const Fd out, open_file(part, O_WRONLY | O_CREAT | O_TRUNC));
    std::vector<std::byte> buffer(256 << 10);
    for (;;) {
      CO_TRY(const size_t count, co_await answer.body->read(buffer));
      if (count == 0) break;
      CO_TRY_VOID(write_all(out.get(), ByteView(buffer).first(count)));
      progress.at(done += count);
    }
  }
  std::error_code error;
  std::filesystem::rename(part, target, error);
  if (error) co_return fail(Code::internal, "rename " + target.string() + ": " + error.message());
  co_return Result<void>();
}

Task<Result<int>> download(Context& context) {
  CO_TRY(const json::value found, co_await context.hub_call("GET", version_path()));
  CO_TRY(const json::array files, co_await files_of(context));
  Progress progress("data " + data_options.name, found.at("bytes").to_number<uint64_t>(),
                    context.globals().quiet);
  uint64_t done = 0;
  for (const json::value& file : files) {
    CO_TRY(const std::string path, text_of(file, "path"));
    CO_TRY_VOID(co_await fetch(context, path, progress, done));
  }
  progress.done();
  context.note(std::to_string(files.size()) + " files in " + data_options.to);
  co_return kDone;
}

Task<Result<int>> remove(Context& context) {
  CO_TRY_VOID(
      context.confirm("delete version " + data_options.version + " of " + data_options.name));
  CO_TRY_VOID(co_await context.hub_call("DELETE", version_path()));
  context.note("Version " + data_options.version + " of " + data_options.name + " is deleted.");
  co_return kDone;
}

Task<Result<int>> registry_list(Context& context) {
  const bool all = data_options.repository.empty();
  CO_TRY(const json::value found,
         co_await context.hub_call("GET", all ? std::string("/v2/_catalog")
                                              : "/v2/" + data_options.repository + "/tags/list"));
  CO_TRY(const json::array names, list_of(found, all ? "repositories" : "tags"));
  json::array rows;
  for (const json::value& name : names) {
    json::object row;
    row["repository"] = all ? name : json::value(data_options.repository);
    if (!all) row["tag"] = name;
    rows.push_back(std::move(row));
  }
  context.print(rows, all ? std::vector<Column>{{"REPOSITORY", "repository"}}
                          : std::vector<Column>{{"REPOSITORY", "repository"}, {"TAG", "tag"}});
  co_return kDone;
}

Task<Result<int>> registry_show(Context& context) {
  CO_TRY(const json::value found,
         co_await context.hub_call(
             "GET", "/v2/" + data_options.repository + "/manifests/" + data_options.tag));
  context.print(found, {{"MODEL", "annotations.org.opencontainers.image.title"},
                        {"TYPE", "mediaType"},
                        {"LAYERS", "layers"}});
  co_return kDone;
}

}  // namespace

void add_data(CLI::App& app, Chosen& chosen) {
  CLI::App* data = app.add_subcommand("data", "Data assets: versions of what lies in blob storage")
                       ->require_subcommand(1);
  add_verb(*data, chosen, "list", "All assets, or the versions of one",
           "  holdfast data list\n  holdfast data list digits -o json", list)
      ->add_option("NAME", data_options.name, "The asset");
  const auto add = [&](const char* name, const char* help, const char* examples, Verb work) {
    CLI::App* verb = add_verb(*data, chosen, name, help, examples, std::move(work));
    verb->add_option("NAME", data_options.name, "The asset")->required();
    return verb;
  };
  CLI::App* verb = add("create", "Makes a version of what is in a container now",
                       "  holdfast data create digits --container ready\n  holdfast data create "
                       "digits --account site1 --container ready --prefix 2026/",
                       create);
  verb->add_option("--account", data_options.account, "The storage account")->capture_default_str();
  verb->add_option("--container", data_options.container, "The container")->required();
  verb->add_option("--prefix", data_options.prefix, "Only blobs whose names begin with it");
  verb = add("show", "One version; in json and yaml with its files",
             "  holdfast data show digits\n  holdfast data show digits --version 1 -o json", show);
  verb->add_option("--version", data_options.version, "A number, or latest")->capture_default_str();
  verb = add("download", "Writes the files of a version",
             "  holdfast data download digits --to ./digits\n  holdfast data download digits "
             "--version 1 --to ./old",
             download);
  verb->add_option("--version", data_options.version, "A number, or latest")->capture_default_str();
  verb->add_option("--to", data_options.to, "The folder")->required();
  verb = add("delete", "Deletes a version",
             "  holdfast data delete digits --version 1\n  holdfast data delete digits --version 1 "
             "--yes",
             remove);
  verb->add_option("--version", data_options.version, "The version")->required();

  CLI::App* registry =
      app.add_subcommand("registry", "The hub's container registry")->require_subcommand(1);
  add_verb(*registry, chosen, "list", "All repositories, or the tags of one",
           "  holdfast registry list\n  holdfast registry list models/digits", registry_list)
      ->add_option("REPOSITORY", data_options.repository, "The repository");
  verb = add_verb(*registry, chosen, "show", "The manifest of a tag or digest",
                  "  holdfast registry show models/digits 1\n  holdfast registry show "
                  "models/digits latest -o yaml",
                  registry_show);
  verb->add_option("REPOSITORY", data_options.repository, "The repository")->required();
  verb->add_option("TAG", data_options.tag, "A tag or digest")->required();
}

}  // namespace holdfast::cli
