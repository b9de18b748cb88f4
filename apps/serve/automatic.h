// Tunes models that nobody has tuned on this machine, one after the other, while they serve as they
// are: in a process of its own, at low priority. What it finds is used without a failed request.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "config.h"
#include "inference/measure/tuning.h"
#include "inference/repository.h"

namespace holdfast {

class AutomaticTuning {
 public:
  // All must outlive it.
  AutomaticTuning(const ServeConfig& config, inference::Repository& repository,
                  const inference::TuningStore& store);
  ~AutomaticTuning();  // ends a measurement that runs
  AutomaticTuning(const AutomaticTuning&) = delete;
  AutomaticTuning& operator=(const AutomaticTuning&) = delete;

 private:
  void loop();
  bool measure(const inference::Entry& entry);  // true: something was found and stored
  int wait_for(int child);                      // its wait status; kills it where we end

  const ServeConfig& config_;
  inference::Repository& repository_;
  const inference::TuningStore& store_;
  std::set<std::string> done_;  // digests that were looked at
  std::mutex mutex_;
  std::condition_variable end_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace holdfast
