// holdfast share, uplink, transform: what the edge says of its files.
#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "base/files.h"
#include "cli/answer.h"
#include "cli/context.h"
#include "transform/image.h"
#include "transform/recipe.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

Task<Result<int>> show_list(Context& context, std::string path, std::string field,
                            std::vector<Column> columns) {
  CO_TRY(const std::string edge, context.edge());
  CO_TRY(const json::value answer, co_await context.call("GET", edge + path));
  CO_TRY(const json::array rows, list_of(answer, field));
  context.print(rows, columns);
  co_return kDone;
}

Task<Result<int>> share_show(Context& context, std::string name) {
  CO_TRY(const std::string edge, context.edge());
  CO_TRY(const json::value answer,
         co_await context.call("GET", edge + "/api/v1/shares/" + percent_encode(name)));
  context.print(answer, {{"SHARE", "name"},
                         {"KIND", "kind"},
                         {"PATH", "path"},
                         {"CONTAINER", "container"},
                         {"CONSUMERS", "consumers"},
                         {"SET ASIDE", "set_aside"}});
  co_return kDone;
}

Task<Result<int>> share_files(Context& context, std::string name, std::string state, int limit) {
  std::string path =
      "/api/v1/shares/" + percent_encode(name) + "/files?limit=" + std::to_string(limit);
  if (!state.empty()) path += "&state=" + percent_encode(state);
  co_return co_await show_list(context, path, "files",
                               {{"FILE", "file"},
                                {"SIZE", "size"},
                                {"STATE", "state"},
                                {"CONSUMER", "consumer"},
                                {"CLOSED", "closed"},
                                {"REASON", "reason"}});
}

// Runs a recipe on files here, without an edge: what its tensors look like.
Task<Result<int>> transform_test(Context& context, std::string recipe_file,
                                 std::vector<std::string> files) {
  CO_TRY(const std::string text, read_file(recipe_file, 1 << 20));
  CO_TRY(const transform::Recipe recipe, transform::parse_recipe(text, recipe_file));
  json::array rows;
  bool any_failed = false;
  for (const std::string& file : files) {
    json::object row;
    row["file"] = file;
    auto bytes = read_file(file, 256 << 20);
    auto made = bytes ? transform::apply_to(recipe, as_bytes(*bytes))
                      : Result<transform::Transformed>(std::unexpected(bytes.error()));
    if (made) {
      row["picture"] = std::to_string(made->width) + "x" + std::to_string(made->height);
      row["dtype"] = std::string(transform::to_string(made->tensor.type));
      row["shape"] = json::array(made->tensor.shape.begin(), made->tensor.shape.end());
    } else {
      row["error"] = made.error().message();
      any_failed = true;
    }
    rows.push_back(std::move(row));
  }
  context.print(rows, {{"FILE", "file"},
                       {"PICTURE", "picture"},
                       {"DTYPE", "dtype"},
                       {"SHAPE", "shape"},
                       {"ERROR", "error"}});
  co_return any_failed ? kPartly : kDone;
}

Task<Result<int>> uplink_retry(Context& context) {
  CO_TRY(const std::string edge, context.edge());
  CO_TRY(const json::value answer, co_await context.call("POST", edge + "/api/v1/uplink/retry"));
  context.print(answer, {{"RETRIED", "retried"}});
  co_return kDone;
}

}  // namespace

void add_share(CLI::App& app, Chosen& chosen) {
  CLI::App* share =
      app.add_subcommand("share", "The edge's shares and their files")->require_subcommand(1);
  add_verb(*share, chosen, "list", "The shares of the edge",
           "  holdfast share list\n  holdfast share list -o json", [](Context& context) {
             return show_list(context, "/api/v1/shares", "shares",
                              {{"SHARE", "name"},
                               {"KIND", "kind"},
                               {"PATH", "path"},
                               {"ACCOUNT", "account"},
                               {"CONTAINER", "container"}});
           });
  static std::string name, state;
  static int limit = 100;
  add_verb(*share, chosen, "show", "One share: its files by consumer, and what was set aside",
           "  holdfast share show camera\n  holdfast share show ready -o yaml",
           [](Context& context) { return share_show(context, name); })
      ->add_option("NAME", name, "The share")
      ->required();
  CLI::App* files = add_verb(
      *share, chosen, "files", "A share's files, newest first",
      "  holdfast share files camera\n  holdfast share files camera --state failed --limit 20",
      [](Context& context) { return share_files(context, name, state, limit); });
  files->add_option("NAME", name, "The share")->required();
  files->add_option("--state", state, "pending, done or failed")
      ->check(CLI::IsMember({"pending", "done", "failed"}));
  files->add_option("--limit", limit, "At most this many")->check(CLI::Range(1, 100000));

  CLI::App* uplink =
      app.add_subcommand("uplink", "What is on its way to blob storage")->require_subcommand(1);
  add_verb(*uplink, chosen, "show", "Files and bytes pending and uploaded, by share",
           "  holdfast uplink show\n  holdfast uplink show -o json", [](Context& context) {
             return show_list(context, "/api/v1/uplink", "shares",
                              {{"SHARE", "share"},
                               {"CONTAINER", "container"},
                               {"PENDING", "pending_files"},
                               {"BYTES", "pending_bytes"},
                               {"UPLOADED", "uploaded_files"},
                               {"BYTES", "uploaded_bytes"},
                               {"FAILED", "failed_files"},
                               {"WAITING BECAUSE", "waiting"}});
           });
  add_verb(*uplink, chosen, "retry", "Tries failed files again",
           "  holdfast uplink retry\n  holdfast uplink retry --quiet", uplink_retry);

  CLI::App* transform =
      app.add_subcommand("transform", "What the edge makes of its files")->require_subcommand(1);
  add_verb(*transform, chosen, "list", "The transforms of the edge",
           "  holdfast transform list\n  holdfast transform list -o json", [](Context& context) {
             return show_list(context, "/api/v1/transforms", "transforms",
                              {{"TRANSFORM", "name"},
                               {"SHARE", "share"},
                               {"STATE", "state"},
                               {"PENDING", "pending"},
                               {"MESSAGE", "message"}});
           });
  static std::string recipe;
  static std::vector<std::string> pictures;
  CLI::App* test = add_verb(
      *transform, chosen, "test", "Runs a recipe on pictures here and shows the tensors' shape",
      "  holdfast transform test digits.yaml digit-0001.png\n  holdfast transform test photo.yaml "
      "*.jpg -o json",
      [](Context& context) { return transform_test(context, recipe, pictures); });
  test->add_option("RECIPE", recipe, "The recipe's YAML file")->required();
  test->add_option("PICTURE", pictures, "PNG or JPEG files")->required();
}

}  // namespace holdfast::cli
