#include "inference/run.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/log.h"
#include "inference/pipeline.h"
#include "inference/together.h"

namespace holdfast::inference {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int64_t kInlineNanos =
    200'000;  // the house rule: quicker than this runs on the request's thread

uint64_t now_ms() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count());
}

// Follows the 99th percentile: up by 99 steps or down by one, so that one hiccup of the machine
// does not leave the fast path, and one run in a hundred that is really slow does.
void follow(std::atomic<int64_t>& p99_ns, int64_t took) {
  constexpr int64_t step = 200;
  const int64_t p99 = p99_ns.load(std::memory_order_relaxed);
  p99_ns.store(std::max<int64_t>(0, took > p99 ? p99 + 99 * step : p99 - step),
               std::memory_order_relaxed);
}

std::string version_text(const Loaded& loaded) {
  return "version " + std::to_string(loaded.version) + " of the model '" + loaded.name + "'";
}

// What the request showed of the model's health.
void judge(Loaded& loaded, Breaker::Pass pass, const Outcome& outcome) {
  const int64_t timeout_ns = std::chrono::nanoseconds(loaded.breaker.options().timeout).count();
  const bool limited = timeout_ns > 0;
  std::string why;
  if (outcome.answer && !(limited && outcome.timing.infer > timeout_ns)) {
    loaded.breaker.succeeded(pass);
    if (loaded.running) loaded.running->answered();
    return;
  }
  if (outcome.answer) {
    why = "a run took " + std::to_string(outcome.timing.infer / 1'000'000) + " ms";
  } else if (outcome.answer.error().code() == Code::internal) {
    why = outcome.answer.error().message();
  } else if (limited && outcome.merged == 0 && loaded.running &&
             failure_of(outcome.answer.error().code()) == Failure::rejected &&
             loaded.running->longest_ns() > timeout_ns) {
    why = "a run does not end";
  } else {
    return loaded.breaker.undecided(pass);
  }
  if (loaded.breaker.failed(pass, Clock::now(), why))
    log::warning("inference", "a model is not run for now",
                 {{"model", loaded.name},
                  {"version", std::to_string(loaded.version)},
                  {"reason", loaded.breaker.reason()}});
}

struct Begin {
  explicit Begin(Loaded& loaded) : pass(loaded.breaker.admit(arrived)) {}
  const Clock::time_point arrived = Clock::now();
  const Breaker::Pass pass;
};

// Why it is not run at all; nothing: it is.
std::optional<Error> refusal(const Loaded& loaded, const Begin& begin, MonoTime deadline) {
  if (begin.pass == Breaker::Pass::refused)
    return Error(Code::unavailable, kBreakerReason,
                 version_text(loaded) + " is not run for now: " + loaded.breaker.reason());
  if (begin.arrived >= deadline)
    return Error(Code::timed_out, "the deadline passed before the model could run");
  return std::nullopt;
}

// Counts it and tells the observers.
Result<Outputs> account(Repository& repository, Loaded& loaded, const Inputs& inputs,
                        const RunOptions& options, const Begin& begin, Outcome outcome) {
  if (begin.pass != Breaker::Pass::refused) judge(loaded, begin.pass, outcome);
  outcome.timing.request = (Clock::now() - begin.arrived).count();
  if (options.report)
    *options.report = {.timing = outcome.timing,
                       .begun = begin.arrived,
                       .ran = outcome.ran,
                       .merged = outcome.merged,
                       .answered = outcome.answer.has_value()};
  Statistics& statistics = loaded.statistics;
  statistics.last_ms.store(now_ms(), std::memory_order_relaxed);
  if (outcome.answer) {
    statistics.succeeded(outcome.timing);
    for (Observer* observer : repository.observers)
      observer->answered(loaded, inputs, *outcome.answer, options);
    if (outcome.merged == 1) follow(loaded.p99_ns, outcome.timing.infer);
  } else {
    statistics.failed(failure_of(outcome.answer.error().code()), outcome.timing.request);
  }
  return std::move(outcome.answer);
}

// The step is a request of its own to its model, with what the pipeline's has of limits.
Task<Result<void>> run_step(Repository& repository, PipelineRun& run, size_t step, Loaded& member,
                            RunOptions options, Outcome& outcome) {
  RunReport report;
  options.report = &report;
  CO_TRY(const Inputs inputs, run.inputs_of(step));
  const std::vector<std::string> outputs = run.outputs_of(step);
  auto answer = co_await run_model(repository, member, inputs, outputs, options);
  outcome.timing.queue += report.timing.queue;
  outcome.timing.input += report.timing.input;
  outcome.timing.infer += report.timing.infer;
  outcome.timing.output += report.timing.output;
  if (outcome.merged == 0 && report.merged > 0) {
    outcome.ran = report.ran;
    outcome.merged = 1;
  }
  if (!answer) co_return std::unexpected(std::move(answer).error());
  co_return run.made(step, std::move(*answer));
}

// On the versions that are current when it begins, held to its end; what is evicted is loaded.
Task<Result<Outputs>> run_steps(Repository& repository, const Pipeline& pipeline,
                                const Inputs& inputs, const std::vector<std::string>& outputs,
                                const RunOptions& options, Outcome& outcome) {
  CO_TRY(PipelineRun run, PipelineRun::begin(pipeline, inputs, outputs));
  std::vector<LoadedPtr> members(pipeline.size());
  for (size_t step = 0; step < pipeline.size(); ++step) {
    if (!run.needs(step)) continue;
    auto member = repository.find(pipeline.model(step));
    if (!member && member.error().reason() == kEvictedReason)
      member = co_await repository.acquire(pipeline.model(step));
    if (!member) co_return std::unexpected(pipeline.error_at(step, std::move(member).error()));
    if (auto fits = pipeline.check(step, **member); !fits)
      co_return std::unexpected(pipeline.error_at(step, std::move(fits).error()));
    members[step] = std::move(*member);
  }
  for (size_t step = 0; step < pipeline.size(); ++step) {
    if (!run.needs(step)) continue;
    auto done = co_await run_step(repository, run, step, *members[step], options, outcome);
    if (!done) co_return std::unexpected(pipeline.error_at(step, std::move(done).error()));
  }
  co_return run.finish();
}

Task<Outcome> run_pipeline(Repository& repository, Loaded& loaded, const Inputs& inputs,
                           const std::vector<std::string>& outputs, const RunOptions& options) {
  Outcome outcome;
  outcome.answer =
      co_await run_steps(repository, *loaded.pipeline, inputs, outputs, options, outcome);
  if (outcome.merged > 0) loaded.statistics.executed(1, outcome.timing.infer);
  co_return outcome;
}

}  // namespace

bool may_be_quick(const Loaded& loaded) {
  return loaded.p99_ns.load(std::memory_order_relaxed) < kInlineNanos;
}

bool is_quick(const Loaded& loaded, const Inputs& inputs) {
  if (!may_be_quick(loaded)) return false;
  const uint64_t rows = rows_of(inputs);
  return rows <= 1 || !loaded.mergeable ||
         loaded.queue.curve.estimate(rows).value_or(0) < kInlineNanos;
}

Result<Outputs> run_quick(Repository& repository, Loaded& loaded, const Inputs& inputs,
                          const std::vector<std::string>& outputs, const RunOptions& options) {
  const Begin begin(loaded);
  Outcome outcome;
  if (auto why = refusal(loaded, begin, options.deadline)) {
    outcome.answer = std::unexpected(*std::move(why));
  } else {
    Waiting waiting(loaded, inputs, outputs, options);
    if (!run_with_ready(repository.scheduler(), waiting, kInlineNanos))
      run_singly(waiting, begin.arrived);
    outcome = std::move(waiting.outcome);
  }
  return account(repository, loaded, inputs, options, begin, std::move(outcome));
}

Task<Result<std::vector<Tensor>>> run_model(Repository& repository, Loaded& loaded,
                                            const std::vector<TensorView>& inputs,
                                            const std::vector<std::string>& outputs,
                                            const RunOptions& options) {
  if (is_quick(loaded, inputs)) co_return run_quick(repository, loaded, inputs, outputs, options);
  const Begin begin(loaded);
  Outcome outcome;
  if (auto why = refusal(loaded, begin, options.deadline))
    outcome.answer = std::unexpected(*std::move(why));
  else if (loaded.pipeline)
    outcome = co_await run_pipeline(repository, loaded, inputs, outputs, options);
  else
    outcome = co_await repository.scheduler().run(loaded, inputs, outputs, options);
  co_return account(repository, loaded, inputs, options, begin, std::move(outcome));
}

}  // namespace holdfast::inference
