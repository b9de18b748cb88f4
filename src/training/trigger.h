// What a trigger is: on new data, on the event that a served model drifts, or on a new model
// version, submit a job; for a model version also compare it with the present one and deploy it
// where it is better. Its YAML, read strictly. No I/O. Any thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::training {

// New data: what lies under the prefix becomes a version of the asset.
struct DataWatch {
  std::string asset, account, container, prefix;
  std::string when;  // a glob: the data are complete when such a blob is put; empty: after `settle`
  std::chrono::milliseconds settle{10'000};  // without any change
  std::string drifting;  // a served model: not new data fire, but its drift events
  std::string events;    // the container of these; their place there is in `when`

  // Where in the account the blobs are that fire: the container, and what `when` is relative to.
  const std::string& watched() const { return drifting.empty() ? container : events; }
  std::string below() const { return drifting.empty() ? prefix : ""; }
};

// What a challenger must reach in a metric, alone and against the champion.
struct Rule {
  std::string metric;
  std::optional<double> min;       // the challenger's own value, at least (at most, where lower is)
  std::optional<double> min_gain;  // over the champion
  std::optional<double> max_loss;  // against the champion
  bool lower_is_better = false;
};

struct Target {
  std::string device, module;
};

struct TriggerSpec {
  std::string name, description;
  std::optional<DataWatch> data;
  std::string model;  // where not on data: the registered model whose new versions fire
  std::vector<Rule> gate;
  std::string alias = "champion";  // of the version that was let through last
  std::vector<Target> deploy;
  bool has_job = false;  // create_job is there
};

// invalid_argument "SOURCE:LINE:COLUMN: key: what is wrong".
Result<TriggerSpec> parse_trigger(std::string_view text, std::string_view source);

// The job's YAML for this version: each ${{trigger.version}} is replaced. invalid_argument on
// another ${{trigger.…}}.
Result<std::string> bind_job(std::string_view yaml, int64_t version);

// Whether the same may succeed later: not for what the request itself is wrong about.
bool may_pass(const Error& error);

}  // namespace holdfast::training
