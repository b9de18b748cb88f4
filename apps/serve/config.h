// serve.yaml, and the flags that override it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/yaml.h"
#include "inference/capture.h"
#include "inference/drift/monitor.h"
#include "inference/entry.h"
#include "inference/traces/exporter.h"

namespace holdfast {

struct TlsConfig {               // files; relative ones are beside the configuration
  std::string certificate, key;  // empty: of the local CA, for `names` too
  std::string client_ca;         // not empty: clients need a certificate of it
  std::vector<std::string> names;
};

struct ServeConfig {
  std::string data;
  std::string http = "127.0.0.1:8000";
  std::string grpc = "127.0.0.1:8001";  // empty: no such door
  std::string local;                    // path of the local door's socket; empty: no such door
  std::vector<uint32_t> local_users;    // who may come in there besides the server's own user
  std::string models;                   // default: <data>/models
  int threads = 1;                      // inside one inference
  std::string engine = "onnxruntime";  // or "openvino", with ONNX Runtime for what it does not take
  bool uploads = true;
  bool sandbox = true;  // what is sent in is loaded in a confined process first
  std::chrono::milliseconds sandbox_time{120000};  // at most, there
  unsigned lanes = 0;                              // runs at the same time; 0: one a core
  size_t queue = 256;                              // requests of a model version that wait
  bool merge = true;                               // requests where that pays
  uint64_t memory = 0;                             // bytes for models; 0: no limit
  std::vector<std::string> pinned;                 // models that are never evicted
  std::optional<TlsConfig> tls;                    // of both doors
  std::string token_keys;                          // a file of keys, as identity/api_keys.h has it
  std::string token_issuer, token_issuer_key;      // whose tokens are taken, and its public key
  inference::CaptureOptions capture;               // what is written of requests, as a sample
  inference::TraceOptions traces;                  // where spans go, and of which requests
  inference::DriftOptions drift;  // how requests are compared with profiles; of which device
  inference::Care care;           // what is done about models that fail
  bool tune = false;              // models that were never measured here, by itself
  std::chrono::milliseconds tune_budget{10000};  // each
  // Serves plain HTTP on an address that others reach. For a container, whose network is its own:
  // there it is whoever publishes the port that decides who reaches it.
  bool plain_http_beyond_loopback = false;
  bool check_only = false;  // --check: read the configuration, say "ok", end
};

// The flags that its usage line names, then HOLDFAST_SERVE_DATA, _MODELS, _LISTEN, _GRPC, _LOCAL,
// _ENGINE, _DEVICE, _RUN (of the model in an image), then the file.
Result<ServeConfig> read_serve_config(int argc, char** argv);
Result<ServeConfig> parse_serve_config(const std::string& text, const std::string& source);
// The section `traces:`; files and secrets are relative to `source`'s folder.
Result<void> read_traces(YamlMap& map, const std::string& source, inference::TraceOptions& traces);

}  // namespace holdfast
