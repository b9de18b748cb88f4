// `holdfast up` and `down`: hub and edge together on one machine, from one data directory.
#pragma once

#include <string>

#include "cli/context.h"

namespace holdfast::cli {

struct UpOptions {
  std::string hub_http = "127.0.0.1:8080", hub_blob = "127.0.0.1:10000";
  std::string hub_https = "127.0.0.1:8443", hub_mqtt = "127.0.0.1:8883";
  std::string edge_http = "127.0.0.2:8081", edge_mqtt = "127.0.0.2:8883";
  std::string serve_http = "127.0.0.1:8000";
  bool detach = false;
};

// Runs until a signal. Its own process must have no other threads yet. Returns the exit code.
int run_up(const Globals& globals, UpOptions options);
// Stops what `up` started with this data directory and waits for its end. not_found: nothing runs.
Result<void> run_down(const Globals& globals);

// The text of the edge.yaml that a first `up` writes.
std::string default_edge_yaml(const std::string& data, const UpOptions& options);
std::string default_hub_yaml(const std::string& data, const UpOptions& options);

}  // namespace holdfast::cli
