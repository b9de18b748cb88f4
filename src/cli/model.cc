// holdfast model: what the inference server has, and what is registered in the hub.
#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>

#include "cli/answer.h"
#include "cli/context.h"
#include "cli/measure.h"
#include "cli/registered.h"
#include "cli/send_model.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

struct ModelOptions {
  std::string name, file, version;
};
ModelOptions model_options;

const std::vector<Column> kColumns = {{"MODEL", "name"},    {"VERSION", "version"},
                                      {"STATE", "state"},   {"SERVING", "current"},
                                      {"DIGEST", "digest"}, {"REASON", "reason"}};

Task<Result<json::array>> models(Context& context) {
  CO_TRY(const json::value answer, co_await context.serve_call("GET", "/api/v1/models"));
  co_return list_of(answer, "models");
}

Task<Result<int>> list(Context& context) {
  CO_TRY(const json::array rows, co_await models(context));
  context.print(rows, kColumns);
  co_return kDone;
}

Task<Result<int>> versions(Context& context) {
  co_return co_await list_registered(context, model_options.name);
}

Task<Result<int>> show(Context& context) {
  if (is_digest(model_options.name)) co_return co_await trace_digest(context, model_options.name);
  if (!model_options.version.empty())
    co_return co_await trace_version(context, model_options.name, model_options.version);
  CO_TRY(const json::value answer,
         co_await context.serve_call("GET", "/v2/models/" + percent_encode(model_options.name)));
  context.print(answer, {{"MODEL", "name"},
                         {"VERSIONS", "versions"},
                         {"PLATFORM", "platform"},
                         {"INPUTS", "inputs"},
                         {"OUTPUTS", "outputs"}});
  co_return kDone;
}

// Sends the file; the server loads and warms it up before it takes over.
Task<Result<int>> create(Context& context) {
  CO_TRY(const json::value sent,
         co_await send_model(context, model_options.name, model_options.file, model_options.version,
                             false));
  context.print(sent, {{"MODEL", "name"}, {"VERSION", "version"}, {"DIGEST", "digest"}});
  co_return kDone;
}

std::string version_path() {
  return "/api/v1/models/" + percent_encode(model_options.name) + "/versions/" +
         percent_encode(model_options.version);
}

Task<Result<int>> remove(Context& context) {
  CO_TRY_VOID(
      context.confirm("delete version " + model_options.version + " of " + model_options.name));
  CO_TRY_VOID(co_await context.serve_call("DELETE", version_path()));
  context.note("Version " + model_options.version + " of " + model_options.name + " is deleted.");
  co_return kDone;
}

// What was quarantined or refused may serve again.
Task<Result<int>> release(Context& context) {
  CO_TRY_VOID(co_await context.serve_call("DELETE", version_path() + "/hold"));
  context.note("Version " + model_options.version + " of " + model_options.name +
               " may serve again.");
  co_return kDone;
}

}  // namespace

void add_model(CLI::App& app, Chosen& chosen) {
  CLI::App* model =
      app.add_subcommand("model", "Models: served ones and registered ones")->require_subcommand(1);
  add_verb(*model, chosen, "list", "All models and versions",
           "  holdfast model list\n  holdfast model list -o json", list);
  add_verb(*model, chosen, "versions", "What is registered in the hub",
           "  holdfast model versions\n  holdfast model versions digits -o json", versions)
      ->add_option("NAME", model_options.name, "One model; the newest version of each without it");
  CLI::App* verb = add_verb(
      *model, chosen, "show",
      "A served model's inputs and outputs; with a digest or a version, where it came from",
      "  holdfast model show digits\n  holdfast "
      "model show sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
      show);
  verb->add_option("NAME", model_options.name, "The model, or the digest in an answer")->required();
  verb->add_option("--version", model_options.version,
                   "Of a registered model: a number, latest, @ALIAS");
  verb = add_verb(*model, chosen, "create",
                  "Sends an ONNX file in as a model's next version, and serves it",
                  "  holdfast model create digits --file digits.onnx\n  holdfast model "
                  "create digits --file better.onnx --version 7",
                  create);
  verb->add_option("NAME", model_options.name, "The model")->required();
  verb->add_option("--file", model_options.file, "The ONNX file")
      ->required()
      ->check(CLI::ExistingFile);
  verb->add_option("--version", model_options.version, "A number; the next one without it");
  verb = add_verb(*model, chosen, "delete", "Deletes a version that is not serving",
                  "  holdfast model delete digits --version 1\n  holdfast model delete digits "
                  "--version 2 --yes",
                  remove);
  verb->add_option("NAME", model_options.name, "The model")->required();
  verb->add_option("--version", model_options.version, "The version")->required();
  verb = add_verb(*model, chosen, "release",
                  "Lets a version serve again that was quarantined or refused",
                  "  holdfast model release digits --version 2\n  holdfast model release digits "
                  "--version 7 --quiet",
                  release);
  verb->add_option("NAME", model_options.name, "The model")->required();
  verb->add_option("--version", model_options.version, "The version")->required();
  add_measuring(*model, chosen);
  add_drift(*model, chosen);
  add_canary(*model, chosen);
}

}  // namespace holdfast::cli
