#include "inference/shadow.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

namespace holdfast::inference {
namespace {

constexpr size_t kMostJobs = 64;
constexpr uint64_t kMostOne = 8 << 20;                  // bytes of copies
constexpr uint64_t kMostBytes = (64 << 20) - kMostOne;  // there is room for one more below it

template <class Tensors>
uint64_t size_of_all(const Tensors& tensors) {
  uint64_t sum = 0;
  for (const auto& tensor : tensors) {
    sum += tensor.data.size();
    for (const auto& text : tensor.texts) sum += text.size() + sizeof(std::string);
  }
  return sum;
}

Tensor copy_of(const TensorView& view) {
  Tensor out;
  out.name = view.name;
  out.type = view.type;
  out.shape = view.shape;
  out.data.assign(view.data.begin(), view.data.end());
  out.texts.assign(view.texts.begin(), view.texts.end());
  return out;
}

}  // namespace

Shadow::Shadow()
    : jobs_({.weigh = [](const Job& job) { return job.bytes; },
             .most = kMostBytes,
             .items = kMostJobs,
             .batch = 1,
             .drops = true},
            [this] { work(); }) {}

bool Shadow::submit(const TrialPtr& trial, const LoadedPtr& other, bool on_candidate,
                    const Inputs& inputs, const std::vector<std::string>& outputs,
                    const Outputs& answered, std::function<void()> done) {
  const uint64_t bytes = size_of_all(inputs) + size_of_all(answered);
  if (bytes > kMostOne) return false;
  return jobs_.offer([&] {
    Job job{trial, other, on_candidate, {}, outputs, answered, bytes, std::move(done)};
    std::ranges::transform(inputs, std::back_inserter(job.inputs), copy_of);
    return job;
  });
}

void Shadow::run(Job& job) {
  if (!job.trial->running()) return;
  Result<Outputs> ran = fail(Code::internal, "not run");
  try {
    ran = job.other->model->run(views_of(job.inputs), job.outputs);
  } catch (const std::exception&) {  // memory, most of all
    ran = fail(Code::internal, "the model could not run");
  }
  // The other one answered these values, so they are no excuse.
  if (job.on_candidate && !ran) job.trial->failed(true);
  if (!ran) return;
  if (job.on_candidate) job.trial->succeeded(true, 0);  // this thread's times are nobody's
  job.trial->compared(compare(job.answered, *ran, job.trial->spec().tolerance));
}

void Shadow::work() {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 19);
  while (auto taken = jobs_.take()) {  // a model may end with it
    for (Job& job : *taken) {
      run(job);
      if (job.done) job.done();
    }
  }
}

}  // namespace holdfast::inference
