// Plain types of the repository: what it lists, and how it is told to behave.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "inference/breaker.h"
#include "inference/life.h"

namespace holdfast::inference {

struct Entry {
  std::string name;
  int64_t version = 0;
  std::string state;  // READY, UNAVAILABLE
  std::string reason, digest;
  bool current = false;
};

// Reasons of an Entry. An evicted version made room for others: acquire() loads it again.
inline constexpr std::string_view kUnloadedReason = "unloaded", kEvictedReason = "evicted";

struct Budget {
  uint64_t bytes = 0;               // for models in memory; 0: no limit
  std::vector<std::string> pinned;  // names of models that are never evicted
};

// What is done about versions that fail.
struct Care {
  // Asked of the file of a version that is sent in, before it is loaded here; empty: nothing is.
  std::function<Result<void>(const std::string& path)> try_first;
  std::string running_file;  // what tells after a crash which models ran; empty: nothing does
  BreakerOptions breaker;
  QuarantineOptions quarantine;
  TrialSpec trial;  // what a trial has where it says nothing else
  std::string run;  // of versions that do not say which run of the training made them
};

// How a version comes in.
struct Put {
  bool beside = false;  // another version that answers goes on doing so
  std::string run;      // which run of the training made it, ASCII; empty: nobody says
};
inline constexpr size_t kLongestRun = 512;  // characters

}  // namespace holdfast::inference
