// Models that run one after the other as if they were one, Triton's ensembles: a model whose file
// is YAML instead of ONNX.
//   pipeline:
//     inputs: [image]
//     steps:
//       - {model: detect, inputs: {x: image}, outputs: {y: boxes}}
//       - {model: classify, inputs: {x: boxes}, outputs: {scores: label}}
//     outputs: [label, boxes]
// Left of a colon is the model's name of a tensor, right the pipeline's. Steps run in this order.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "inference/batch.h"
#include "inference/loaded.h"

namespace holdfast::inference {

inline constexpr std::string_view kPipelinePlatform = "ensemble";  // Triton's name
inline constexpr size_t kMostSteps = 32;

struct PipelineSpec {
  using Names = std::vector<std::pair<std::string, std::string>>;  // the model's, the pipeline's
  struct Step {
    std::string model;
    Names inputs, outputs;
  };
  std::vector<std::string> inputs, outputs;
  std::vector<Step> steps;
};

// Whether the file begins as one, comments and empty lines aside.
bool is_pipeline(const std::string& path);
// invalid_argument, with line or step; too_large: over 64 KiB.
Result<PipelineSpec> read_pipeline(const std::string& path);

// A spec that fits its models. Any thread may call.
class Pipeline {
 public:
  // The current version of a model; called at most once a step.
  using Find = std::function<Result<LoadedPtr>(const std::string& model)>;
  // `name` is its own. invalid_argument, or what `find` says, with the step.
  static Result<std::shared_ptr<const Pipeline>> bind(const PipelineSpec& spec,
                                                      const std::string& name, const Find& find);

  const Signature& signature() const { return signature_; }
  const PipelineSpec& spec() const { return spec_; }
  size_t size() const { return steps_.size(); }  // steps
  const std::string& model(size_t step) const { return spec_.steps[step].model; }
  // Whether a request would find all its models, be it that they are evicted. unavailable.
  Result<void> ready(const Find& find) const;
  // unavailable: this version of the step's model has other inputs or outputs than the pipeline was
  // bound to.
  Result<void> check(size_t step, const Loaded& member) const;
  Error error_at(size_t step, Error why) const;  // "step 2 ('classify'): …"

 private:
  friend class PipelineRun;
  friend class PipelineBinder;
  struct Port {
    std::string name;  // the model's
    size_t tensor;     // the pipeline's
  };
  struct Step {
    Signature signature;
    std::vector<Port> inputs, outputs;
  };
  PipelineSpec spec_;
  std::vector<Step> steps_;
  std::vector<std::string> tensors_;  // names; the pipeline's inputs first
  Signature signature_;
};

// One request's way through the steps. What was made stays where it is until finish(), so that the
// views of it that later steps are given are good.
class PipelineRun {
 public:
  // All must outlive it. `outputs` empty: all; steps that these do not need are left out.
  // invalid_argument: an unknown output.
  static Result<PipelineRun> begin(const Pipeline& pipeline, const Inputs& inputs,
                                   const std::vector<std::string>& outputs);

  bool needs(size_t step) const { return needed_[step]; }
  // Views of the request's tensors and of what earlier steps made. invalid_argument: one of these
  // has a shape that the step's model does not take.
  Result<Inputs> inputs_of(size_t step) const;
  std::vector<std::string> outputs_of(size_t step) const;
  Result<void> made(size_t step, Outputs answer);  // internal: an output is missing
  Outputs finish();  // moved out, in the order in which they were asked

 private:
  explicit PipelineRun(const Pipeline& pipeline) : pipeline_(&pipeline) {}
  const Pipeline* pipeline_;
  std::vector<bool> needed_;       // by step
  std::vector<size_t> wanted_;     // tensors
  std::vector<TensorView> views_;  // by tensor
  std::vector<Tensor*> owners_;    // by tensor; null: the request's
  std::vector<Outputs> made_;      // by step
};

// It as a model that runs on the caller's thread, its models uncounted: for warm-up and comparison.
// Requests go through run_pipeline().
std::unique_ptr<Model> pipeline_model(std::shared_ptr<const Pipeline> pipeline,
                                      Pipeline::Find find);

}  // namespace holdfast::inference
