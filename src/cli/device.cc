// holdfast device, module, twin, method: what the device hub knows.
#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "cli/answer.h"
#include "cli/context.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

constexpr const char* kVersion = "?api-version=2021-04-12";

struct DeviceOptions {
  std::string device, module, file, method, payload;
  bool edge = false, keys = false;
  int limit = 100;
  uint64_t after = 0;
};
DeviceOptions device_options;

const std::vector<Column> kIdentity = {{"DEVICE", "deviceId"},
                                       {"MODULE", "moduleId"},
                                       {"STATUS", "status"},
                                       {"CONNECTION", "connectionState"},
                                       {"LAST ACTIVITY", "lastActivityTime"},
                                       {"EDGE", "capabilities.iotEdge"}};

// "/devices/D" or "/devices/D/modules/M", below `root`.
std::string path_of(const std::string& root) {
  std::string path = root + percent_encode(device_options.device);
  if (!device_options.module.empty()) path += "/modules/" + percent_encode(device_options.module);
  return path;
}

// What is secret is shown only where it is asked for.
json::value without_keys(json::value value) {
  if (device_options.keys) return value;
  if (value.is_array()) {
    for (json::value& item : value.as_array()) item = without_keys(std::move(item));
  } else if (value.is_object()) {
    if (json::value* found = value.as_object().if_contains("authentication");
        found != nullptr && found->is_object())
      found->as_object().erase("symmetricKey");
  }
  return value;
}

Task<Result<int>> list_devices(Context& context) {
  CO_TRY(const json::value found,
         co_await context.hub_call("GET", std::string("/devices") + kVersion));
  context.print(without_keys(found), kIdentity);
  co_return kDone;
}

Task<Result<int>> list_modules(Context& context) {
  const std::string path =
      "/devices/" + percent_encode(device_options.device) + "/modules" + kVersion;
  CO_TRY(const json::value found, co_await context.hub_call("GET", path));
  context.print(without_keys(found), kIdentity);
  co_return kDone;
}

Task<Result<int>> show_identity(Context& context) {
  CO_TRY(const json::value found,
         co_await context.hub_call("GET", path_of("/devices/") + kVersion));
  context.print(without_keys(found), kIdentity);
  co_return kDone;
}

Task<Result<int>> create_identity(Context& context) {
  json::object body;
  body["deviceId"] = device_options.device;
  if (!device_options.module.empty()) body["moduleId"] = device_options.module;
  if (device_options.edge) body["capabilities"] = {{"iotEdge", true}};
  CO_TRY(const json::value made,
         co_await context.hub_call("PUT", path_of("/devices/") + kVersion, json::serialize(body)));
  context.print(without_keys(made), kIdentity);
  co_return kDone;
}

Task<Result<int>> delete_identity(Context& context) {
  const std::string what =
      device_options.module.empty()
          ? "delete the device " + device_options.device + " and its modules"
          : "delete the module " + device_options.module + " of " + device_options.device;
  CO_TRY_VOID(context.confirm(what));
  CO_TRY_VOID(co_await context.hub_call("DELETE", path_of("/devices/") + kVersion));
  context.note("Deleted.");
  co_return kDone;
}

Task<Result<int>> watch_device(Context& context) {
  const std::string path = "/api/v1/devices/" + percent_encode(device_options.device) +
                           "/telemetry?after=" + std::to_string(device_options.after) +
                           "&limit=" + std::to_string(device_options.limit);
  CO_TRY(const json::value found, co_await context.hub_call("GET", path));
  CO_TRY(const json::array rows, list_of(found, "messages"));
  context.print(rows, {{"SEQUENCE", "sequence"},
                       {"MODULE", "moduleId"},
                       {"ARRIVED", "enqueuedTime"},
                       {"BODY", "body"}});
  co_return kDone;
}

Task<Result<int>> show_twin(Context& context) {
  CO_TRY(const json::value found, co_await context.hub_call("GET", path_of("/twins/") + kVersion));
  context.print(found, {{"DEVICE", "deviceId"},
                        {"MODULE", "moduleId"},
                        {"VERSION", "version"},
                        {"TAGS", "tags"},
                        {"DESIRED", "properties.desired"},
                        {"REPORTED", "properties.reported"}});
  co_return kDone;
}

Task<Result<int>> update_twin(Context& context) {
  CO_TRY(std::string patch, json_file(device_options.file));
  CO_TRY(const json::value found,
         co_await context.hub_call("PATCH", path_of("/twins/") + kVersion, std::move(patch)));
  context.print(found, {{"DEVICE", "deviceId"}, {"MODULE", "moduleId"}, {"VERSION", "version"}});
  co_return kDone;
}

Task<Result<int>> run_method(Context& context) {
  json::object body;
  body["methodName"] = device_options.method;
  boost::system::error_code error;
  if (!device_options.payload.empty()) body["payload"] = json::parse(device_options.payload, error);
  if (error) co_return fail(Code::invalid_argument, "usage", "--payload is not JSON");
  CO_TRY(const json::value found,
         co_await context.hub_call("POST", path_of("/twins/") + "/methods" + kVersion,
                                   json::serialize(body)));
  context.print(found, {{"STATUS", "status"}, {"PAYLOAD", "payload"}});
  co_return kDone;
}

CLI::App* noun(CLI::App& app, const char* name, const char* help) {
  return app.add_subcommand(name, help)->require_subcommand(1);
}
void need_device(CLI::App* verb) {
  verb->add_option("DEVICE", device_options.device, "The device")->required();
}
void need_module(CLI::App* verb) {
  need_device(verb);
  verb->add_option("MODULE", device_options.module, "The module")->required();
}
void may_module(CLI::App* verb) {
  need_device(verb);
  verb->add_option("--module", device_options.module, "A module of the device");
}
void keys_flag(CLI::App* verb) {
  verb->add_flag("--keys", device_options.keys, "Shows the keys too");
}

void add_identities(CLI::App& app, Chosen& chosen) {
  CLI::App* device = noun(app, "device", "Devices of the hub");
  add_verb(*device, chosen, "list", "All devices",
           "  holdfast device list\n  holdfast device list -o json", list_devices);
  CLI::App* verb = add_verb(*device, chosen, "show", "One device",
                            "  holdfast device show press-07\n  holdfast device show press-07 "
                            "--keys -o json",
                            show_identity);
  need_device(verb);
  keys_flag(verb);
  verb = add_verb(*device, chosen, "create", "Makes a device and its keys",
                  "  holdfast device create press-07 --edge-enabled\n  holdfast device create "
                  "sensor-1 --keys -o json",
                  create_identity);
  need_device(verb);
  keys_flag(verb);
  verb->add_flag("--edge-enabled", device_options.edge,
                 "It runs modules: $edgeAgent and $edgeHub too");
  need_device(add_verb(*device, chosen, "delete", "Deletes a device and its modules",
                       "  holdfast device delete sensor-1\n  holdfast device delete sensor-1 --yes",
                       delete_identity));
  verb = add_verb(*device, chosen, "watch", "The messages that a device sent",
                  "  holdfast device watch press-07\n  holdfast device watch press-07 --after 120 "
                  "--limit 10 -o json",
                  watch_device);
  need_device(verb);
  verb->add_option("--after", device_options.after, "Only messages after this sequence number");
  verb->add_option("--limit", device_options.limit, "At most this many")
      ->check(CLI::Range(1, 1000));

  CLI::App* module = noun(app, "module", "Modules of a device");
  need_device(add_verb(*module, chosen, "list", "The modules of a device",
                       "  holdfast module list press-07\n  holdfast module list press-07 -o json",
                       list_modules));
  verb = add_verb(*module, chosen, "show", "One module",
                  "  holdfast module show press-07 filter\n  holdfast module show press-07 "
                  "'$edgeAgent' --keys -o json",
                  show_identity);
  need_module(verb);
  keys_flag(verb);
  verb = add_verb(*module, chosen, "create", "Makes a module and its keys",
                  "  holdfast module create press-07 filter\n  holdfast module create press-07 "
                  "filter --keys -o json",
                  create_identity);
  need_module(verb);
  keys_flag(verb);
  need_module(add_verb(*module, chosen, "delete", "Deletes a module",
                       "  holdfast module delete press-07 filter\n  holdfast module delete "
                       "press-07 filter --yes",
                       delete_identity));
}

}  // namespace

void add_device(CLI::App& app, Chosen& chosen) {
  add_identities(app, chosen);
  CLI::App* twin = noun(app, "twin", "What a device shall be, and says that it is");
  may_module(add_verb(*twin, chosen, "show", "The twin of a device or module",
                      "  holdfast twin show press-07\n  holdfast twin show press-07 --module "
                      "'$edgeAgent' -o json",
                      show_twin));
  CLI::App* verb =
      add_verb(*twin, chosen, "update", "Merges a patch of tags and desired properties",
               "  holdfast twin update press-07 --file patch.json\n  holdfast twin "
               "update press-07 --module filter --file patch.json",
               update_twin);
  may_module(verb);
  verb->add_option("--file", device_options.file, "{\"tags\":…,\"properties\":{\"desired\":…}}")
      ->required()
      ->check(CLI::ExistingFile);

  CLI::App* method = noun(app, "method", "Calls of a connected device");
  verb = add_verb(*method, chosen, "run", "Calls a direct method and prints its answer",
                  "  holdfast method run press-07 reboot\n  holdfast method run press-07 ping "
                  "--module '$edgeAgent' --payload '{}'",
                  run_method);
  may_module(verb);
  verb->add_option("METHOD", device_options.method, "The method's name")->required();
  verb->add_option("--payload", device_options.payload, "JSON");
}

}  // namespace holdfast::cli
