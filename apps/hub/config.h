// hub.yaml, and the flags that override it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "blob/http/endpoint.h"
#include "blob/lifecycle.h"
#include "blob/sources.h"
#include "blob/types.h"
#include "events/subscription.h"

namespace holdfast {

struct HubConfig {
  std::string domain = "holdfast.internal";
  std::string data;
  std::string http = "127.0.0.1:8080";
  std::string blob = "127.0.0.1:10000";
  std::string https, mqtt, blob_https;           // doors with TLS; empty: closed
  std::vector<std::string> names;                // further names and addresses in their certificate
  std::string jobs_python = "/usr/bin/python3";  // the base interpreter of jobs
  unsigned jobs_slots = 1;                       // jobs at a time
  // Environments that jobs name, by their pip requirements.
  std::map<std::string, std::vector<std::string>> jobs_environments;
  std::map<std::string, blob::AccountSettings> storage_accounts = {{"", {}}};  // "": all others
  std::vector<events::Subscription> subscriptions;  // to what happens to blobs
  std::chrono::milliseconds feed_delay{15000};      // between the writes of change feeds
  std::map<std::string, blob::LifecycleRules> lifecycle = {{"", {}}};  // "": all others
  std::chrono::milliseconds lifecycle_every = std::chrono::hours(24);  // 0: no pass by itself
  uint64_t lifecycle_rate = 1000;  // blobs a second that a pass looks at
  std::string endpoint;            // by which clients know the API over TLS; "": by its address
  blob::Endpoint storage_endpoint;
  blob::SourceList copy_sources;  // what copies may be fetched from
  blob::SourceLimits copy_limits;
  uint64_t storage_reserve = 1ull << 30;  // bytes of the disk that new contents leave free
  uint64_t scrub_rate = 20ull << 20;      // bytes read a second; 0: no scrub by itself
  // Answers to wrong signatures hold the string that the server signed.
  bool storage_development = false;
  bool emulator_account = false;  // devstoreaccount1 with its public key, on loopback alone
  bool check_only = false;        // --check: read the configuration, say "ok", end
};

// `--check --development --emulator-account --config FILE --data DIR
// --listen-{http,blob,https,blob-https,mqtt} ADDRESS`, then HOLDFAST_HUB_DATA, _LISTEN_HTTP and so
// on, then the file, then the defaults. invalid_argument with the place of what is wrong.
Result<HubConfig> read_hub_config(int argc, char** argv);
// Parses the text of a hub.yaml; `source` names it in errors.
Result<HubConfig> parse_hub_config(const std::string& text, const std::string& source);

}  // namespace holdfast
