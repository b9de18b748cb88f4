#include "inference/pipeline.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>

#include "base/files.h"
#include "base/yaml.h"
#include "inference/entry.h"
#include "inference/input.h"

namespace holdfast::inference {
namespace {

constexpr uint64_t kMostBytes = 64 << 10;

std::string step_text(size_t step, const std::string& model) {
  return "step " + std::to_string(step + 1) + " ('" + model + "')";
}

std::unexpected<Error> bad(const std::string& text) {
  return fail(Code::invalid_argument, text);
}

std::string list_of(const std::vector<TensorInfo>& tensors) {
  std::string out;
  for (const TensorInfo& info : tensors) out += (out.empty() ? "" : ", ") + info.name;
  return out;
}

const TensorInfo* find_in(const std::vector<TensorInfo>& tensors, std::string_view name) {
  const auto found = std::ranges::find(tensors, name, &TensorInfo::name);
  return found == tensors.end() ? nullptr : &*found;
}

std::string text_of(const TensorInfo& info) {
  return std::string(to_string(info.type)) + " " + shape_text(info.shape);
}

// Narrows `known` to what both allow; false: nothing is.
bool narrow(TensorInfo& known, const TensorInfo& wanted) {
  if (known.type != wanted.type || known.shape.size() != wanted.shape.size()) return false;
  for (size_t i = 0; i < known.shape.size(); ++i) {
    if (known.shape[i] >= 0 && wanted.shape[i] >= 0 && known.shape[i] != wanted.shape[i])
      return false;
    if (known.shape[i] < 0) known.shape[i] = wanted.shape[i];
  }
  return true;
}

Result<PipelineSpec::Step> read_step(YamlMap& yaml) {
  PipelineSpec::Step step;
  TRY(step.model, yaml.text("model"));
  TRY(YamlMap inputs, yaml.map("inputs"));
  TRY(step.inputs, inputs.all_texts());
  TRY(YamlMap outputs, yaml.map("outputs"));
  TRY(step.outputs, outputs.all_texts());
  TRY_VOID(yaml.finish());
  return step;
}

}  // namespace

bool is_pipeline(const std::string& path) {
  // As much as a comment may take before it.
  std::array<char, 4096> head{};
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), head.size());
  const std::string_view text(head.data(), static_cast<size_t>(file.gcount()));
  for (std::string_view line : split(text, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#') || line == "---") continue;
    return line.starts_with("pipeline:");
  }
  return false;
}

Result<PipelineSpec> read_pipeline(const std::string& path) {
  auto text = read_file(path, kMostBytes);
  if (!text && text.error().code() == Code::too_large)
    return fail(Code::too_large, "a pipeline has at most " + format_size(kMostBytes));
  if (!text) return std::unexpected(std::move(text).error());
  TRY(YamlMap file, YamlMap::parse(*text, "pipeline"));
  TRY(YamlMap yaml, file.map("pipeline"));
  TRY_VOID(file.finish());
  PipelineSpec spec;
  TRY(spec.inputs, yaml.texts_or("inputs", {}));
  TRY(spec.outputs, yaml.texts_or("outputs", {}));
  TRY(std::vector<YamlMap> steps, yaml.maps("steps"));
  TRY_VOID(yaml.finish());
  if (steps.empty() || steps.size() > kMostSteps)
    return std::unexpected(
        yaml.error_at("steps", "1 to " + std::to_string(kMostSteps) + " are wanted"));
  if (spec.outputs.empty())
    return std::unexpected(yaml.error_at("outputs", "at least one is wanted"));
  for (YamlMap& step : steps) {
    TRY(spec.steps.emplace_back(), read_step(step));
  }
  return spec;
}

// Builds one step after the other.
class PipelineBinder {
 public:
  explicit PipelineBinder(size_t inputs) : inputs_(inputs) {}
  Result<std::shared_ptr<const Pipeline>> bind(const PipelineSpec& spec, const std::string& name,
                                               const Pipeline::Find& find) {
    for (const std::string& input : spec.inputs) {
      if (!add(input, {})) return bad("the input '" + input + "' is there twice");
    }
    for (size_t i = 0; i < spec.steps.size(); ++i) {
      if (auto done = add_step(spec.steps[i], name, find); !done)
        return std::unexpected(
            std::move(done).error().with_context(step_text(i, spec.steps[i].model)));
    }
    for (size_t i = 0; i < spec.inputs.size(); ++i) {
      if (infos_[i].name.empty()) return bad("no step uses the input '" + spec.inputs[i] + "'");
      signature_of().inputs.push_back(named(infos_[i], spec.inputs[i]));
    }
    for (const std::string& output : spec.outputs) {
      const auto found = indices_.find(output);
      if (found == indices_.end() || found->second < spec.inputs.size())
        return bad("no step makes the output '" + output + "'");
      if (find_in(signature_of().outputs, output) != nullptr)
        return bad("the output '" + output + "' is there twice");
      signature_of().outputs.push_back(named(infos_[found->second], output));
    }
    made_->spec_ = spec;
    return std::move(made_);
  }

 private:
  Signature& signature_of() { return made_->signature_; }
  static TensorInfo named(TensorInfo info, const std::string& name) {
    info.name = name;
    return info;
  }
  bool add(const std::string& name, const TensorInfo& info) {
    if (!indices_.emplace(name, infos_.size()).second) return false;
    infos_.push_back(info);
    made_->tensors_.push_back(name);
    return true;
  }
  static Result<void> check_names(const PipelineSpec::Names& names,
                                  const std::vector<TensorInfo>& has, const std::string& what) {
    for (const auto& [port, tensor] : names) {
      if (find_in(has, port) == nullptr)
        return bad("the model has no " + what + " '" + port + "', it has " + list_of(has));
      if (std::ranges::count(names, port, &PipelineSpec::Names::value_type::first) != 1)
        return bad("the " + what + " '" + port + "' is there twice");
    }
    return {};
  }
  Result<void> add_step(const PipelineSpec::Step& step, const std::string& name,
                        const Pipeline::Find& find) {
    if (step.model == name) return bad("a pipeline cannot be a step of itself");
    TRY(const LoadedPtr member, find(step.model));
    if (member->pipeline) return bad("the model is a pipeline itself; name its steps here");
    const Signature& signature = member->model->signature();
    TRY_VOID(check_names(step.inputs, signature.inputs, "input"));
    TRY_VOID(check_names(step.outputs, signature.outputs, "output"));
    if (step.outputs.empty()) return bad("none of the model's outputs has a name");
    Pipeline::Step made{.signature = signature, .inputs = {}, .outputs = {}};
    for (const TensorInfo& info : signature.inputs) {
      TRY(made.inputs.emplace_back(), take(step.inputs, info));
    }
    for (const auto& [port, tensor] : step.outputs) {
      if (!add(tensor, *find_in(signature.outputs, port)))
        return bad("the tensor '" + tensor + "' is there already");
      made.outputs.push_back({port, infos_.size() - 1});
    }
    made_->steps_.push_back(std::move(made));
    return {};
  }
  // What the model's input is given.
  Result<Pipeline::Port> take(const PipelineSpec::Names& names, const TensorInfo& info) {
    const auto given = std::ranges::find(names, info.name, &PipelineSpec::Names::value_type::first);
    if (given == names.end()) return bad("the model's input '" + info.name + "' is not given");
    const auto found = indices_.find(given->second);
    if (found == indices_.end())
      return bad("the tensor '" + given->second +
                 "' is no input of the pipeline, and no earlier step makes it");
    TensorInfo& known = infos_[found->second];
    if (known.name.empty()) {  // an input of the pipeline that nobody has used so far
      known = info;
    } else if (TensorInfo copy = known; !narrow(copy, info)) {
      return bad("the tensor '" + given->second + "' is " + text_of(known) +
                 ", the model's input '" + info.name + "' is " + text_of(info));
    } else if (found->second < inputs_) {
      known = copy;  // what is sent in has to suit all
    }
    return Pipeline::Port{info.name, found->second};
  }

  const size_t inputs_;
  std::shared_ptr<Pipeline> made_ = std::make_shared<Pipeline>();
  std::map<std::string, size_t> indices_;
  std::vector<TensorInfo> infos_;  // by tensor; without a name: not known yet
};

Result<std::shared_ptr<const Pipeline>> Pipeline::bind(const PipelineSpec& spec,
                                                       const std::string& name, const Find& find) {
  return PipelineBinder(spec.inputs.size()).bind(spec, name, find);
}

Result<void> Pipeline::check(size_t step, const Loaded& member) const {
  if (!member.pipeline && member.model->signature() == steps_[step].signature) return {};
  return fail(Code::unavailable,
              "version " + std::to_string(member.version) +
                  " has other inputs or outputs than the pipeline was made for; load it again");
}

Error Pipeline::error_at(size_t step, Error why) const {
  // It is not the pipeline that is not there.
  if (why.code() == Code::not_found) why = Error(Code::unavailable, why.message());
  return std::move(why).with_context(step_text(step, model(step)));
}

Result<void> Pipeline::ready(const Find& find) const {
  for (size_t step = 0; step < size(); ++step) {
    const auto member = find(model(step));
    if (!member && member.error().reason() == kEvictedReason) continue;
    if (!member) return std::unexpected(error_at(step, member.error()));
    if (auto fits = check(step, **member); !fits)
      return std::unexpected(error_at(step, std::move(fits).error()));
  }
  return {};
}

}  // namespace holdfast::inference
