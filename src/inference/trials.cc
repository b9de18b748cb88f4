#include "inference/trials.h"

#include <cstring>

#include "base/digest.h"
#include "base/log.h"
#include "inference/repository.h"

namespace holdfast::inference {
namespace {

uint64_t random_seed() {
  uint64_t seed = 0;
  const std::string bytes = random_bytes(sizeof seed);
  std::memcpy(&seed, bytes.data(), sizeof seed);
  return seed;
}

}  // namespace

TrialPtr Trials::add(const std::string& name, const TrialSpec& spec, int64_t current) {
  const int64_t now_ms = SystemClock().now().time_since_epoch().count() / 1'000'000;
  auto trial = std::make_shared<Trial>(spec, current, random_seed(),
                                       std::chrono::steady_clock::now(), now_ms);
  const std::lock_guard lock(mutex_);
  trials_[name] = trial;
  ++begun_;
  return trial;
}

BlockingPool& Trials::pool() {
  const std::lock_guard lock(mutex_);
  if (!pool_) pool_ = std::make_unique<BlockingPool>("trials", 1);
  return *pool_;
}

TrialPtr Trials::find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = trials_.find(name);
  return found == trials_.end() ? nullptr : found->second;
}

int64_t Trials::candidate(std::string_view name) const {
  if (begun_.load(std::memory_order_relaxed) == 0) return 0;
  const TrialPtr trial = find(name);
  return trial && trial->running() ? trial->spec().version : 0;
}

std::vector<std::pair<std::string, TrialPtr>> Trials::list() const {
  const std::lock_guard lock(mutex_);
  return {trials_.begin(), trials_.end()};
}

TrialPtr Trials::running(const std::string& name, int64_t current) {
  if (begun_.load(std::memory_order_relaxed) == 0) return nullptr;
  TrialPtr trial = find(name);
  if (!trial || !trial->running()) return nullptr;
  if (current == trial->current()) return trial;
  const bool taken = current == trial->spec().version;
  const std::string why = taken ? "it was activated by hand"
                                : "version " + std::to_string(current) + " has become current";
  settle_later(name, trial, taken ? TrialState::promoted : TrialState::aborted, why);
  return nullptr;
}

Task<Result<TrialPtr>> Trials::start(std::string name, TrialSpec spec) {
  CO_TRY_VOID(check_model_name(name));
  CO_TRY_VOID(check(spec));
  if (const TrialPtr there = find(name); there && there->running())
    co_return fail(Code::conflict, "a trial of version " + std::to_string(there->spec().version) +
                                       " of '" + name + "' runs; abort or promote it first");
  CO_TRY(const LoadedPtr current, co_await repository_.acquire(name));
  if (current->version == spec.version)
    co_return fail(Code::conflict, "version " + std::to_string(spec.version) + " of '" + name +
                                       "' is the current one; activate the other one first");
  CO_TRY(const LoadedPtr candidate, co_await repository_.stage(name, spec.version));
  if (candidate->model->signature() != current->model->signature())
    co_return fail(Code::invalid_argument, "version " + std::to_string(spec.version) + " of '" +
                                               name +
                                               "' has other inputs or outputs than version " +
                                               std::to_string(current->version));
  if (!repository_.find(name, current->version))  // else each would make room for the other
    co_return fail(Code::unavailable, "no_memory",
                   "versions " + std::to_string(current->version) + " and " +
                       std::to_string(spec.version) + " of '" + name +
                       "' do not fit into the memory for models together");
  auto keep = [this, &name, &spec] {
    return repository_.lives().change(name, [&spec](Life& life) { life.trial = spec; });
  };
  CO_TRY_VOID(co_await pool().run(std::move(keep)));
  log::info("inference", "a trial begins",
            {{"model", name}, {"version", std::to_string(spec.version)}});
  co_return add(name, spec, current->version);
}

Task<Result<TrialPtr>> Trials::end(std::string name, TrialState how) {
  TrialPtr trial = find(name);
  if (!trial || !trial->running())
    co_return fail(Code::conflict, "no trial of '" + name + "' runs");
  if (!trial->end(how, "by hand"))
    co_return fail(Code::conflict, "the trial of '" + name + "' has just ended");
  auto settle = [this, &name, &trial, how] {
    return repository_.settle(name, trial->spec().version, how, "by hand");
  };
  CO_TRY_VOID(co_await pool().run(std::move(settle)));
  co_return trial;
}

void Trials::resume(const std::string& name, const TrialSpec& spec, int64_t current) {
  add(name, spec, current);
}

void Trials::review(const std::string& name, const TrialPtr& trial, const Loaded& candidate) {
  if (!trial->running()) return;
  if (candidate.breaker.open())
    return settle_later(name, trial, TrialState::rolled_back,
                        "circuit breaker: " + candidate.breaker.reason());
  if (auto verdict = trial->verdict(std::chrono::steady_clock::now()))
    settle_later(name, trial, verdict->state, std::move(verdict->reason));
}

void Trials::settle_later(const std::string& name, const TrialPtr& trial, TrialState how,
                          std::string reason) {
  if (!trial->end(how, reason)) return;
  auto work = [this, name, version = trial->spec().version, how, reason = std::move(reason)] {
    if (auto done = repository_.settle(name, version, how, reason); !done)
      log::error("inference", "the end of a trial could not be carried out",
                 {{"model", name}, {"error", done.error().message()}});
  };
  pool().submit(std::move(work));
}

}  // namespace holdfast::inference
