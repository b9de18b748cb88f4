// The $edgeAgent part of a deployment manifest, schema 1.0 and 1.1, as plain values. Any thread.
// Source: Azure/iotedge, edgeAgent's ModuleSet, DockerConfig and ModuleStartupOrder. Our own module
// types beside `docker`: `model` (an image whose model layer holdfast-serve loads) and `process` (a
// supervised child).
#pragma once

#include <boost/json/object.hpp>

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace holdfast::modules {

enum class ModuleType { docker, process, model };
enum class Wanted { running, stopped };
enum class RestartPolicy { never, on_failure, on_unhealthy, always };
enum class PullPolicy { on_create, never };

std::string_view to_string(ModuleType type);
std::string_view to_string(Wanted status);
std::string_view to_string(RestartPolicy policy);

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct ModuleSpec {
  std::string name;
  ModuleType type = ModuleType::docker;
  std::string version;  // of a model: a number
  Wanted status = Wanted::running;
  RestartPolicy restart = RestartPolicy::always;
  PullPolicy pull = PullPolicy::on_create;
  uint32_t startup_order = UINT32_MAX;
  Pairs env;
  std::string image;                   // docker, model
  boost::json::object create_options;  // docker: Docker's ContainerCreate body, without Image
  std::string digest;                  // model: "sha256:…" of the model layer
  boost::json::object canary;          // model: how it is tried first; empty: it is not
  std::vector<std::string> command;    // process: an absolute program path and arguments
  boost::json::object desired;         // as it stood, for reported properties
  std::string surroundings;            // digest of what the device adds; empty for a model

  // The same for two specs that need the same container, process or model.
  std::string fingerprint() const;
};

struct RegistryCredential {
  std::string address, username, password;  // never logged
};

struct Deployment {
  int64_t version = 0;  // the twin's desired.$version
  std::string schema;
  boost::json::object runtime;         // as it stood
  boost::json::object system_modules;  // as they stood
  std::vector<RegistryCredential> registries;
  std::vector<ModuleSpec> modules;  // by startup order, then by name

  const ModuleSpec* find(std::string_view name) const;
};

// Reads the desired properties. invalid_argument with the JSON path of what is wrong, and the
// reason that says which of edgeAgent's status codes it is: "manifest_empty" (417),
// "manifest_schema" (412), else "manifest_format" (400).
Result<Deployment> parse_deployment(const boost::json::object& desired);

// 1–128 of A–Z a–z 0–9 . _ -, a letter or digit first; not "shares" (built in). It names folders
// and containers.
Result<void> check_module_name(std::string_view name);

}  // namespace holdfast::modules
