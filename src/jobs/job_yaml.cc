#include "jobs/job_yaml.h"

#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "base/yaml.h"

namespace holdfast::jobs {
namespace {

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::unexpected<Error> at(const YamlMap& map, std::string_view key, std::string_view message) {
  return std::unexpected(map.error_at(key, message));
}

// The names of inputs and outputs stand in commands and are directories.
bool is_port_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && !(name[0] >= '0' && name[0] <= '9') &&
         std::ranges::all_of(name, [](char c) { return is_alnum(c) || c == '_'; });
}

bool is_variable_name(std::string_view name) {
  return is_port_name(name);
}

Result<Reference> parse_reference(const YamlMap& map, const std::string& text, bool model) {
  const std::string form =
      "'" + text +
      (model ? "' is no model reference; azureml:NAME:VERSION, azureml:NAME@ALIAS or "
               "azureml:NAME@latest is"
             : "' is no data reference; azureml:NAME:VERSION or azureml:NAME@latest is");
  if (!text.starts_with("azureml:")) return at(map, "path", form);
  const std::string rest = text.substr(8);
  Reference out;
  const size_t sign = rest.rfind('@');
  if (sign != std::string::npos) {
    out.asset = rest.substr(0, sign);
    const std::string alias = rest.substr(sign + 1);
    if (alias != "latest" && (!model || !check_name("an alias", alias)))
      return at(map, "path", form);
    if (alias != "latest") out.alias = alias;
  } else {
    const size_t colon = rest.rfind(':');
    if (colon == std::string::npos) return at(map, "path", form);
    const auto number = parse_u64(rest.substr(colon + 1));
    if (!number || *number == 0 || *number > INT64_MAX) return at(map, "path", form);
    out.asset = rest.substr(0, colon);
    out.version = static_cast<int64_t>(*number);
  }
  if (auto good = check_name(model ? "the model" : "the data asset", out.asset); !good)
    return at(map, "path", good.error().message());
  return out;
}

Result<Input> parse_input(YamlMap& inputs, const std::string& name) {
  if (!is_port_name(name))
    return at(inputs, name, "an input's name is of A-Z a-z 0-9 _, not beginning with a digit");
  Input out;
  out.name = name;
  if (!inputs.is_map(name)) {
    out.type = "literal";
    TRY(out.literal, inputs.text(name));
    return out;
  }
  TRY(YamlMap map, inputs.map(name));
  TRY(out.type, map.text_or("type", "uri_folder"));
  if (out.type != "uri_file" && out.type != "uri_folder" && out.type != "mltable" &&
      !out.is_model())
    return at(map, "type",
              "'" + out.type +
                  "' is not offered; uri_file, uri_folder, mltable, custom_model and "
                  "mlflow_model are");
  TRY(const std::string path, map.text("path"));
  TRY(out.data, parse_reference(map, path, out.is_model()));
  TRY_VOID(map.finish());
  return out;
}

Result<Output> parse_output(YamlMap& outputs, const std::string& name) {
  if (!is_port_name(name))
    return at(outputs, name, "an output's name is of A-Z a-z 0-9 _, not beginning with a digit");
  Output out;
  out.name = name;
  TRY(YamlMap map, outputs.map(name));
  TRY(out.type, map.text_or("type", "uri_folder"));
  const bool model = out.type == "custom_model" || out.type == "mlflow_model";
  if (out.type != "uri_folder" && !model)
    return at(map, "type",
              "'" + out.type + "' is not offered; uri_folder, custom_model and mlflow_model are");
  TRY(out.model, map.text_or("name", ""));
  if (!out.model.empty() && !model)
    return at(map, "name", "only an output of type custom_model or mlflow_model is registered");
  if (!out.model.empty()) {
    if (auto good = check_name("the model", out.model); !good)
      return at(map, "name", good.error().message());
  }
  TRY_VOID(map.finish());
  return out;
}

Result<Environment> parse_environment(YamlMap& job) {
  Environment out;
  if (!job.has("environment")) return at(job, "environment", "is required");
  if (!job.is_map("environment")) {
    TRY(const std::string text, job.text("environment"));
    if (!text.starts_with("azureml:") || !text.ends_with("@latest") || text.size() <= 15)
      return at(job, "environment",
                "'" + text + "' is no environment; azureml:NAME@latest or {pip: […]} is");
    out.name = text.substr(8, text.size() - 15);
    if (auto good = check_name("the environment", out.name); !good)
      return at(job, "environment", good.error().message());
    return out;
  }
  TRY(YamlMap map, job.map("environment"));
  TRY(out.pip, map.texts_or("pip", {}));
  for (const std::string& requirement : out.pip) {
    if (auto good = check_requirement(requirement); !good)
      return at(map, "pip", good.error().message());
  }
  TRY_VOID(map.finish());
  return out;
}

Result<Pairs> parse_pairs(YamlMap& job, std::string_view key) {
  TRY(YamlMap map, job.map(key));
  TRY(Pairs out, map.all_texts());
  return out;
}

Result<void> check_bindings(const YamlMap& job, const JobSpec& spec) {
  const BoundValue declared = [&spec](std::string_view kind,
                                      std::string_view name) -> Result<std::string> {
    const auto named = [name](const auto& port) { return port.name == name; };
    const bool known = kind == "inputs" ? std::ranges::any_of(spec.inputs, named)
                                        : std::ranges::any_of(spec.outputs, named);
    if (known) return std::string();
    return fail(Code::invalid_argument, "${{" + std::string(kind) + "." + std::string(name) +
                                            "}}: nothing of this name is declared");
  };
  if (auto bound = bind_command(spec.command, declared); !bound)
    return at(job, "command", bound.error().message());
  return {};
}

Result<void> parse_head(YamlMap& map, JobSpec& spec) {
  TRY_VOID(map.text_or("$schema", ""));
  TRY(const std::string type, map.text_or("type", "command"));
  if (type != "command") return at(map, "type", "'" + type + "' is not offered; command is");
  TRY(spec.name, map.text_or("name", ""));
  if (!spec.name.empty()) {
    if (auto good = check_name("the job", spec.name); !good)
      return at(map, "name", good.error().message());
  }
  TRY(spec.display_name, map.text_or("display_name", ""));
  TRY(spec.experiment, map.text_or("experiment_name", "Default"));
  TRY(spec.description, map.text_or("description", ""));
  TRY_VOID(map.text_or("code", ""));  // the client's folder; here the snapshot's id stands for it
  TRY(const std::string compute, map.text_or("compute", "local"));
  if (compute != "local" && compute != "azureml:local")
    return at(map, "compute", "'" + compute + "' is not offered; local is");
  return {};
}

}  // namespace

Result<void> check_name(std::string_view what, std::string_view name) {
  const bool good = !name.empty() && name.size() <= 255 && (is_alnum(name[0]) || name[0] == '_') &&
                    std::ranges::all_of(name, [](char c) {
                      return is_alnum(c) || c == '.' || c == '_' || c == '-';
                    });
  if (good) return {};
  return fail(Code::invalid_argument, "'" + std::string(name) + "' is no name of " +
                                          std::string(what) +
                                          ": 1 to 255 of A-Z a-z 0-9 . _ -, not beginning with a "
                                          "sign");
}

Result<void> check_requirement(std::string_view text) {
  const bool plain = std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 127; });
  if (!text.empty() && text.size() <= 300 && plain && is_alnum(text[0])) return {};
  return fail(Code::invalid_argument,
              "'" + std::string(text) + "' is no requirement like numpy==1.26.4");
}

Result<JobSpec> parse_job(std::string_view text, std::string_view source) {
  TRY(YamlMap map, YamlMap::parse(text, source));
  JobSpec spec;
  TRY_VOID(parse_head(map, spec));
  TRY(spec.command, map.text("command"));
  if (spec.command.empty() || spec.command.find('\0') != std::string::npos)
    return at(map, "command", "must be a text without zero bytes, and not empty");
  TRY(YamlMap inputs, map.map("inputs"));
  for (const std::string& name : inputs.keys()) {
    TRY(Input input, parse_input(inputs, name));
    spec.inputs.push_back(std::move(input));
  }
  TRY(YamlMap outputs, map.map("outputs"));
  for (const std::string& name : outputs.keys()) {
    TRY(Output output, parse_output(outputs, name));
    spec.outputs.push_back(std::move(output));
  }
  TRY(spec.environment, parse_environment(map));
  TRY(spec.variables, parse_pairs(map, "environment_variables"));
  for (const auto& [name, value] : spec.variables) {
    if (!is_variable_name(name) || name.starts_with("HOLDFAST_") ||
        value.find('\0') != std::string::npos)
      return at(map, "environment_variables",
                "'" + name + "' can not be set: a name is of A-Z a-z 0-9 _, not HOLDFAST_…");
  }
  TRY(spec.tags, parse_pairs(map, "tags"));
  TRY_VOID(map.finish());
  TRY_VOID(check_bindings(map, spec));
  return spec;
}

Result<std::string> bind_command(std::string_view command, const BoundValue& value) {
  std::string out;
  while (true) {
    const size_t begin = command.find("${{");
    out += command.substr(0, begin);
    if (begin == std::string_view::npos) return out;
    const size_t end = command.find("}}", begin);
    if (end == std::string_view::npos)
      return fail(Code::invalid_argument, "a ${{ is not closed by }}");
    const std::string inside(trim(command.substr(begin + 3, end - begin - 3)));
    const size_t dot = inside.find('.');
    const std::string kind = inside.substr(0, dot);
    if (dot == std::string::npos || (kind != "inputs" && kind != "outputs"))
      return fail(Code::invalid_argument,
                  "${{" + inside + "}} is not offered; ${{inputs.NAME}} and ${{outputs.NAME}} are");
    TRY(const std::string bound, value(kind, inside.substr(dot + 1)));
    out += bound;
    command.remove_prefix(end + 2);
  }
}

}  // namespace holdfast::jobs
