// Runs what was answered once more on the other version, off the requests' path: on one thread of
// the lowest priority, from a bounded queue. What finds the queue full is dropped.
#pragma once

#include <functional>

#include "inference/background.h"
#include "inference/loaded.h"
#include "inference/trial.h"

namespace holdfast::inference {

// Any thread may call.
class Shadow {
 public:
  Shadow();

  // Copies what it needs. False: dropped, being too large or too many. `on_candidate`: `other` is
  // the candidate. `done` is called on the shadow's thread when the trial knows the outcome.
  bool submit(const TrialPtr& trial, const LoadedPtr& other, bool on_candidate,
              const Inputs& inputs, const std::vector<std::string>& outputs,
              const Outputs& answered, std::function<void()> done);

 private:
  struct Job {
    TrialPtr trial;
    LoadedPtr other;
    bool on_candidate = false;
    std::vector<Tensor> inputs;
    std::vector<std::string> outputs;
    Outputs answered;
    uint64_t bytes = 0;
    std::function<void()> done;
  };
  void work();
  static void run(Job& job);

  Background<Job> jobs_;  // what waits at the end is dropped
};

}  // namespace holdfast::inference
