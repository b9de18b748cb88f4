// edge.yaml, and the flags and variables that override it.
#pragma once

#include <string>
#include <vector>

#include "answers/flow.h"
#include "base/yaml.h"
#include "shares/share.h"

namespace holdfast {

struct StorageAccount {
  std::string name, endpoint;
  std::string key;  // the secret itself, already read; never logged
};

struct ServeConfig {
  bool wanted = false;  // a serve: section, or an answers: entry
  std::string listen = "127.0.0.1:8000";
  std::string grpc;    // its gRPC door; empty: none
  std::string local;   // path of its local door; default <data>/serve/local.sock; empty: none
  std::string models;  // default <data>/models
  std::string config;  // a serve.yaml for what is not said here; empty: none
  bool managed = true;
};

// The hub that this device belongs to; empty http: none, the edge stands alone.
struct HubLink {
  std::string http;  // "https://hub.holdfast.internal:8443"
  std::string mqtt_host;
  uint16_t mqtt_port = 8883;
  std::string ca;   // PEM: who signs the hub's certificates
  std::string key;  // the device's own, base64; never logged
};

struct EdgeConfig {
  std::string device, data;
  std::string http = "127.0.0.1:8081";
  std::string mqtt = "127.0.0.2:8883";  // the broker's door; opened where there is a hub
  std::string hostname;                 // by which modules find it
  std::string engine;      // path of the container engine's socket; empty: no containers here
  bool processes = false;  // modules of the type `process` are allowed
  std::vector<StorageAccount> accounts;
  std::vector<shares::ShareConfig> shares;
  std::vector<answers::FlowConfig> flows;  // one for each transform
  ServeConfig serve;
  HubLink hub;
  bool check_only = false;  // --check: read the configuration, say "ok", end
};

// `--check --config FILE --data DIR --listen ADDRESS`, then HOLDFAST_EDGE_DATA and
// HOLDFAST_EDGE_LISTEN, then the file, then the defaults. invalid_argument with the place of what
// is wrong; a recipe's error names the recipe's place.
Result<EdgeConfig> read_edge_config(int argc, char** argv);

struct EdgeOverrides {
  std::string data, listen;
};
// Parses the text of an edge.yaml; `source` names it in errors, recipes and `file:` secrets are
// relative to its folder.
Result<EdgeConfig> parse_edge_config(const std::string& text, const std::string& source,
                                     const EdgeOverrides& overrides = {});

// `hostname:`, `containers:` and `processes:` of `top`, and `mqtt:` of `listen`.
Result<void> read_modules(YamlMap& top, YamlMap& listen, EdgeConfig& config);
// The section `hub:` of `top`.
Result<HubLink> read_hub_link(YamlMap& top, const std::string& folder);

}  // namespace holdfast
