#include <algorithm>

#include "inference/input.h"
#include "inference/pipeline.h"

namespace holdfast::inference {
namespace {

class PipelineModel final : public Model {
 public:
  PipelineModel(std::shared_ptr<const Pipeline> pipeline, Pipeline::Find find)
      : pipeline_(std::move(pipeline)), find_(std::move(find)) {}
  std::string_view platform() const override { return kPipelinePlatform; }
  const Signature& signature() const override { return pipeline_->signature(); }
  Result<Outputs> run(const Inputs& inputs, const std::vector<std::string>& outputs) override {
    TRY(PipelineRun run, PipelineRun::begin(*pipeline_, inputs, outputs));
    for (size_t step = 0; step < pipeline_->size(); ++step) {
      if (!run.needs(step)) continue;
      if (auto done = run_step(run, step); !done)
        return std::unexpected(pipeline_->error_at(step, std::move(done).error()));
    }
    return run.finish();
  }

 private:
  Result<void> run_step(PipelineRun& run, size_t step) const {
    TRY(const LoadedPtr member, find_(pipeline_->model(step)));
    TRY_VOID(pipeline_->check(step, *member));
    TRY(const Inputs inputs, run.inputs_of(step));
    TRY(Outputs answer, member->model->run(inputs, run.outputs_of(step)));
    return run.made(step, std::move(answer));
  }

  const std::shared_ptr<const Pipeline> pipeline_;
  const Pipeline::Find find_;
};

}  // namespace

Result<PipelineRun> PipelineRun::begin(const Pipeline& pipeline, const Inputs& inputs,
                                       const std::vector<std::string>& outputs) {
  PipelineRun run(pipeline);
  const size_t tensors = pipeline.tensors_.size();
  run.views_.resize(tensors);
  run.owners_.resize(tensors);
  run.made_.resize(pipeline.size());
  run.needed_.resize(pipeline.size());
  const auto index_of = [&pipeline](std::string_view name) {
    return static_cast<size_t>(std::ranges::find(pipeline.tensors_, name) -
                               pipeline.tensors_.begin());
  };
  for (const TensorView& input : inputs) {
    if (const size_t at = index_of(input.name); at < tensors) run.views_[at] = input;
  }
  const auto& all = pipeline.signature_.outputs;
  for (const TensorInfo& output : all) {
    if (outputs.empty()) run.wanted_.push_back(index_of(output.name));
  }
  for (const std::string& name : outputs) {
    if (std::ranges::find(all, name, &TensorInfo::name) == all.end())
      return fail(Code::invalid_argument, "the pipeline has no output '" + name + "'");
    run.wanted_.push_back(index_of(name));
  }
  std::vector<bool> wanted(tensors);
  for (const size_t tensor : run.wanted_) wanted[tensor] = true;
  for (size_t step = pipeline.size(); step-- > 0;) {
    run.needed_[step] =
        std::ranges::any_of(pipeline.steps_[step].outputs,
                            [&wanted](const Pipeline::Port& port) { return wanted[port.tensor]; });
    if (!run.needed_[step]) continue;
    for (const Pipeline::Port& port : pipeline.steps_[step].inputs) wanted[port.tensor] = true;
  }
  return run;
}

Result<Inputs> PipelineRun::inputs_of(size_t step) const {
  const Pipeline::Step& of = pipeline_->steps_[step];
  Inputs out;
  out.reserve(of.inputs.size());
  for (const Pipeline::Port& port : of.inputs) {
    TensorView& view = out.emplace_back(views_[port.tensor]);
    view.name = port.name;
    TRY_VOID(check_input(view, of.signature));
  }
  return out;
}

std::vector<std::string> PipelineRun::outputs_of(size_t step) const {
  std::vector<std::string> out;
  for (const Pipeline::Port& port : pipeline_->steps_[step].outputs) out.push_back(port.name);
  return out;
}

Result<void> PipelineRun::made(size_t step, Outputs answer) {
  made_[step] = std::move(answer);
  Inputs views = views_of(made_[step]);
  for (const Pipeline::Port& port : pipeline_->steps_[step].outputs) {
    const auto found = std::ranges::find(made_[step], port.name, &Tensor::name);
    if (found == made_[step].end())
      return fail(Code::internal, "the model did not answer its output '" + port.name + "'");
    const auto at = static_cast<size_t>(found - made_[step].begin());
    views_[port.tensor] = std::move(views[at]);
    owners_[port.tensor] = &made_[step][at];
  }
  return {};
}

Outputs PipelineRun::finish() {
  Outputs out;
  out.reserve(wanted_.size());
  for (size_t i = 0; i < wanted_.size(); ++i) {
    const auto end = wanted_.begin() + static_cast<std::ptrdiff_t>(i);
    const auto before = std::find(wanted_.begin(), end, wanted_[i]);
    if (before != end) {  // asked for twice
      out.push_back(out[static_cast<size_t>(before - wanted_.begin())]);
      continue;
    }
    out.push_back(std::move(*owners_[wanted_[i]]));
    out.back().name = pipeline_->tensors_[wanted_[i]];
  }
  return out;
}

std::unique_ptr<Model> pipeline_model(std::shared_ptr<const Pipeline> pipeline,
                                      Pipeline::Find find) {
  return std::make_unique<PipelineModel>(std::move(pipeline), std::move(find));
}

}  // namespace holdfast::inference
