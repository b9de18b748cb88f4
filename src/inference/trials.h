// The trials of candidate versions, one a model: begun and ended by hand, ended by what they show,
// and taken up again after a restart, with figures that begin anew.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "inference/shadow.h"
#include "net/runtime.h"

namespace holdfast::inference {

class Repository;

// Any thread may call.
class Trials {
 public:
  explicit Trials(Repository& repository) : repository_(repository) {}

  // Loads the candidate beside the current version and begins. conflict: a trial runs, the version
  // is the current one or held, or none is current; invalid_argument: its inputs or outputs are
  // others; unavailable "no_memory": the memory budget does not hold both; not_found.
  Task<Result<TrialPtr>> start(std::string name, TrialSpec spec);
  // By hand. `how`: promoted or aborted. conflict: none runs; what activating fails with.
  Task<Result<TrialPtr>> end(std::string name, TrialState how);
  // The last one, running or ended; null: none since the start of the process.
  TrialPtr find(std::string_view name) const;
  int64_t candidate(std::string_view name) const;  // of the running one; 0: none
  // The running one, where `current` is still the version that it began beside; null.
  TrialPtr running(const std::string& name, int64_t current);
  std::vector<std::pair<std::string, TrialPtr>> list() const;
  // Begins what ran when the process before this one ended.
  void resume(const std::string& name, const TrialSpec& spec, int64_t current);
  // Acts on what the trial shows by now.
  void review(const std::string& name, const TrialPtr& trial, const Loaded& candidate);
  Shadow& shadow() { return shadow_; }

 private:
  BlockingPool& pool();
  TrialPtr add(const std::string& name, const TrialSpec& spec, int64_t current);
  // What follows from an end, on the pool.
  void settle_later(const std::string& name, const TrialPtr& trial, TrialState how,
                    std::string reason);

  Repository& repository_;
  std::atomic<size_t> begun_{0};  // trials ever: most processes have none
  mutable std::mutex mutex_;
  std::map<std::string, TrialPtr, std::less<>> trials_;
  std::unique_ptr<BlockingPool> pool_;  // from its first use on
  Shadow shadow_;
};

}  // namespace holdfast::inference
