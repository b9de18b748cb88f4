#include "inference/execute.h"

#include <algorithm>
#include <chrono>

#include "base/log.h"

namespace holdfast::inference {
namespace {

using Clock = std::chrono::steady_clock;

Result<Outputs> run(Model& model, const Inputs& inputs, const std::vector<std::string>& outputs) {
  try {
    return model.run(inputs, outputs);
  } catch (const std::exception& e) {  // memory, most of all; it must not end the lane
    return fail(Code::internal, std::string("the model could not run: ") + e.what());
  }
}

// The answers by request, and the timing that each of them has.
Result<std::vector<Outputs>> run_together(const std::vector<Waiting*>& batch, Timing& timing) {
  std::vector<const Inputs*> inputs;
  std::vector<uint64_t> rows;
  uint64_t all = 0;
  for (const Waiting* waiting : batch) {
    inputs.push_back(&waiting->inputs);
    rows.push_back(waiting->rows);
    all += waiting->rows;
  }
  Loaded& loaded = batch[0]->loaded;
  const auto start = Clock::now();
  const Merged merged = merge_rows(inputs);
  const auto ready = Clock::now();
  auto ran = run(*loaded.model, merged.inputs, batch[0]->outputs);
  const auto done = Clock::now();
  loaded.statistics.executed(batch.size(), (done - ready).count());
  if (!ran) return std::unexpected(std::move(ran).error());
  auto answers = split_rows(*ran, rows);
  const auto end = Clock::now();
  timing = {.input = (ready - start).count(),
            .infer = (done - ready).count(),
            .output = (end - done).count()};
  if (answers) loaded.queue.curve.learn(all, (end - start).count());
  return answers;
}

}  // namespace

void run_singly(Waiting& waiting, MonoTime start) {
  Outcome& outcome = waiting.outcome;
  outcome.answer = run(*waiting.loaded.model, waiting.inputs, waiting.outputs);
  outcome.timing.infer = (Clock::now() - start).count();
  outcome.merged = 1;
  outcome.ran = start;
  waiting.loaded.statistics.executed(1, outcome.timing.infer);
  if (outcome.answer) waiting.loaded.queue.curve.learn(waiting.rows, outcome.timing.infer);
}

Execution execute(const std::vector<Waiting*>& batch, bool prove) {
  Execution execution;
  const auto start = Clock::now();
  const auto finish = [&] {
    execution.ns = (Clock::now() - start).count();
    return execution;
  };
  if (batch.size() == 1) {
    run_singly(*batch[0], start);
    return finish();
  }
  Timing timing;
  auto together = run_together(batch, timing);
  if (together && !prove) {
    for (size_t i = 0; i < batch.size(); ++i) {
      Outcome& outcome = batch[i]->outcome;
      outcome.answer = std::move((*together)[i]);
      timing.queue = outcome.timing.queue;
      outcome.timing = timing;
      outcome.ran = start;
      outcome.merged = batch.size();
    }
    return finish();
  }
  // Either one request's values spoil the run of all, or it is not known yet whether the model's
  // rows are each other's business: singly, everyone gets what is its own.
  for (Waiting* waiting : batch) run_singly(*waiting, Clock::now());
  const bool all_fine =
      std::ranges::all_of(batch, [](const Waiting* w) { return w->outcome.answer.has_value(); });
  if (!all_fine) return finish();
  bool same = together.has_value();
  for (size_t i = 0; same && i < batch.size(); ++i)
    same = agree((*together)[i], *batch[i]->outcome.answer);
  execution.proof = same ? Execution::Proof::agreed : Execution::Proof::differed;
  if (!same) {
    log::info("inference", "requests are not merged: the model's rows depend on each other",
              {{"model", batch[0]->loaded.name},
               {"why", together ? "other values" : together.error().message()}});
  }
  return finish();
}

}  // namespace holdfast::inference
