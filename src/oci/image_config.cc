#include "oci/json_fields.h"
#include "oci/manifest.h"

namespace holdfast::oci {
namespace {

json::array list_of(const std::vector<std::string>& texts) {
  json::array out;
  for (const std::string& text : texts) out.push_back(json::string(text));
  return out;
}

}  // namespace

Result<ImageConfig> parse_image_config(std::string_view text) {
  TRY(const json::value value, parse_json(text));
  Fields fields(value, "");
  ImageConfig config;
  TRY(config.created, fields.text_or_empty("created"));
  TRY(config.architecture, fields.text("architecture"));
  TRY(config.os, fields.text("os"));
  if (const json::value* inner = fields.find("config")) {
    Fields run(*inner, "config");
    TRY(config.user, run.text_or_empty("User"));
    TRY(config.working_dir, run.text_or_empty("WorkingDir"));
    TRY(config.env, run.text_list("Env"));
    TRY(config.entrypoint, run.text_list("Entrypoint"));
    TRY(config.cmd, run.text_list("Cmd"));
    TRY(config.labels, run.texts("Labels"));
    const json::value* ports = run.find("ExposedPorts");
    if (ports != nullptr && ports->is_object()) {
      for (const auto& [port, ignored] : ports->get_object())
        config.exposed_ports.emplace_back(port);
    }
  }
  const json::value* rootfs = fields.find("rootfs");
  if (rootfs == nullptr) return invalid("rootfs", "is required");
  TRY(const auto diff_ids, Fields(*rootfs, "rootfs").text_list("diff_ids"));
  for (const std::string& diff_id : diff_ids) {
    TRY(Digest digest, Digest::parse(diff_id));
    config.diff_ids.push_back(std::move(digest));
  }
  TRY(const json::array* history, fields.list("history"));
  if (history != nullptr) {
    for (const json::value& step : *history) {
      TRY(std::string by, Fields(step, "history").text_or_empty("created_by"));
      config.history.push_back(std::move(by));
    }
  }
  return config;
}

std::string write_image_config(const ImageConfig& config) {
  json::object run;
  if (!config.user.empty()) run["User"] = config.user;
  if (!config.exposed_ports.empty()) {
    json::object ports;
    for (const std::string& port : config.exposed_ports) ports[port] = json::object();
    run["ExposedPorts"] = std::move(ports);
  }
  if (!config.env.empty()) run["Env"] = list_of(config.env);
  if (!config.entrypoint.empty()) run["Entrypoint"] = list_of(config.entrypoint);
  if (!config.cmd.empty()) run["Cmd"] = list_of(config.cmd);
  if (!config.working_dir.empty()) run["WorkingDir"] = config.working_dir;
  if (!config.labels.empty()) {
    json::object labels;
    for (const auto& [name, value] : config.labels) labels[name] = value;
    run["Labels"] = std::move(labels);
  }
  json::object out;
  if (!config.created.empty()) out["created"] = config.created;
  out["architecture"] = config.architecture;
  out["os"] = config.os;
  out["config"] = std::move(run);
  json::array diff_ids;
  for (const Digest& diff_id : config.diff_ids) diff_ids.push_back(json::string(diff_id.str()));
  json::object rootfs;
  rootfs["type"] = "layers";
  rootfs["diff_ids"] = std::move(diff_ids);
  out["rootfs"] = std::move(rootfs);
  if (!config.history.empty()) {
    json::array history;
    for (const std::string& by : config.history) {
      json::object step;
      if (!config.created.empty()) step["created"] = config.created;
      step["created_by"] = by;
      history.push_back(std::move(step));
    }
    out["history"] = std::move(history);
  }
  return json::serialize(out);
}

}  // namespace holdfast::oci
