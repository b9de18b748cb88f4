// holdfast deployment: the desired state of a device, and what it makes of it.
#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "cli/answer.h"
#include "cli/context.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

constexpr const char* kVersion = "?api-version=2021-04-12";

struct DeploymentOptions {
  std::string device, file;
};
DeploymentOptions deployment_options;

// The manifest becomes the desired properties of $edgeAgent, $edgeHub and the modules that it
// names.
Task<Result<int>> apply_deployment(Context& context) {
  CO_TRY(std::string manifest, json_file(deployment_options.file));
  CO_TRY_VOID(co_await context.hub_call("POST",
                                        "/devices/" + percent_encode(deployment_options.device) +
                                            "/applyConfigurationContent" + kVersion,
                                        std::move(manifest)));
  context.note("The deployment is the desired state of " + deployment_options.device +
               "; 'holdfast deployment show " + deployment_options.device + "' tells what runs.");
  co_return kDone;
}

// One row a module: what is wanted beside what the device reports.
Task<Result<int>> show_deployment(Context& context) {
  CO_TRY(const json::value twin,
         co_await context.hub_call("GET", "/twins/" + percent_encode(deployment_options.device) +
                                              "/modules/%24edgeAgent" + kVersion));
  CO_TRY(const json::value properties, field_of(twin, "properties"));
  CO_TRY(const json::value desired, field_of(properties, "desired"));
  CO_TRY(const json::value reported, field_of(properties, "reported"));
  json::array rows;
  const json::value* wanted = desired.as_object().if_contains("modules");
  if (wanted == nullptr || !wanted->is_object())
    co_return fail(Code::not_found, deployment_options.device + " has no deployment");
  for (const auto& [name, module] : wanted->as_object()) {
    const std::string at = "modules." + std::string(name) + ".";
    json::object row;
    row["module"] = name;
    row["type"] = cell(module, "type", false);
    row["image"] = cell(module, "settings.image", false);
    row["wanted"] = cell(module, "status", false);
    row["state"] = cell(reported, at + "runtimeStatus", false);
    row["description"] = cell(reported, at + "statusDescription", false);
    rows.push_back(std::move(row));
  }
  context.print(rows, {{"MODULE", "module"},
                       {"TYPE", "type"},
                       {"WANTED", "wanted"},
                       {"STATE", "state"},
                       {"IMAGE", "image"},
                       {"DESCRIPTION", "description"}});
  co_return kDone;
}

}  // namespace

void add_deployment(CLI::App& app, Chosen& chosen) {
  CLI::App* deployment =
      app.add_subcommand("deployment", "What runs on a device")->require_subcommand(1);
  CLI::App* verb =
      add_verb(*deployment, chosen, "apply", "Makes a manifest the desired state of a device",
               "  holdfast deployment apply press-07 --file deployment.json\n  holdfast "
               "deployment apply press-07 --file deployment.json --quiet",
               apply_deployment);
  verb->add_option("DEVICE", deployment_options.device, "The device")->required();
  verb->add_option("--file", deployment_options.file, "A deployment manifest (schema 1.1)")
      ->required()
      ->check(CLI::ExistingFile);
  add_verb(*deployment, chosen, "show", "What is wanted, and what the device reports",
           "  holdfast deployment show press-07\n  holdfast deployment show press-07 "
           "-o json",
           show_deployment)
      ->add_option("DEVICE", deployment_options.device, "The device")
      ->required();
}

}  // namespace holdfast::cli
