// The YAML of a command job, read strictly: no file, no network, no clock. Any thread.
// Source: the commandJob schema of Azure ML CLI v2; fields that would be ignored here are refused.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace holdfast::jobs {

struct Reference {  // to a version of a data asset or of a registered model
  std::string asset;
  int64_t version = 0;  // 0: the one of the alias, or the newest, at the job's start
  std::string alias;    // models only
};
struct Input {
  std::string name;
  // uri_file, uri_folder, mltable; custom_model, mlflow_model; "literal" where it is neither
  std::string type;
  std::optional<Reference> data;  // of all but literals
  std::string literal;            // as written: text, number or true/false
  bool is_model() const { return type == "custom_model" || type == "mlflow_model"; }
};
struct Output {
  std::string name;
  std::string type;   // uri_folder, custom_model, mlflow_model
  std::string model;  // the registered model's name; empty: not registered
};
struct Environment {
  std::string name;              // of `azureml:NAME@latest`; empty: inline
  std::vector<std::string> pip;  // requirements of an inline one
};
using Pairs = std::vector<std::pair<std::string, std::string>>;

struct JobSpec {
  std::string name, display_name, experiment, description;
  std::string command;  // with its ${{…}} not yet bound
  std::vector<Input> inputs;
  std::vector<Output> outputs;
  Environment environment;
  Pairs variables, tags;
};

// 1 to 255 of A–Z a–z 0–9 . _ -, not beginning with a sign. invalid_argument.
Result<void> check_name(std::string_view what, std::string_view name);
// A pip requirement and nothing else: no option, no line break. invalid_argument.
Result<void> check_requirement(std::string_view text);

// invalid_argument "SOURCE:LINE:COLUMN: key: what is wrong"; also for a ${{…}} of nothing declared.
Result<JobSpec> parse_job(std::string_view text, std::string_view source);

// The command with each ${{inputs.x}} and ${{outputs.y}} replaced by what `value` gives for
// ("inputs", "x"). invalid_argument on one that is not closed or not of this form, and what `value`
// fails with.
using BoundValue = std::function<Result<std::string>(std::string_view kind, std::string_view name)>;
Result<std::string> bind_command(std::string_view command, const BoundValue& value);

}  // namespace holdfast::jobs
