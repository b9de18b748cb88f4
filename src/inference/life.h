// What is remembered about a model's versions over a restart: which may not serve, and at which
// crashes they ran. One small file beside the versions (<models>/NAME/LIFE.json).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inference/running.h"
#include "inference/trial.h"

namespace holdfast::inference {

// A version that serves nobody until somebody releases it.
struct Hold {
  int64_t version = 0;
  std::string kind;  // "quarantined": it ran at crashes; "refused": it was rolled back
  std::string reason;
  int64_t since_ms = 0;  // since 1970
  std::string text() const { return kind + ": " + reason; }
};

struct Crash {
  int64_t version = 0, at_ms = 0;
  int signal = 0;        // 0: unknown, as of kill -9
  bool loading = false;  // it was being loaded
};

struct Life {
  std::vector<Hold> holds;
  std::vector<Crash> crashes;
  std::optional<TrialSpec> trial;  // that runs
  bool empty() const { return holds.empty() && crashes.empty() && !trial; }
  const Hold* held(int64_t version) const;
  void forget(int64_t version);  // all about it
};

// An empty one where there is none. internal: it cannot be read.
Result<Life> read_life(const std::string& folder);
// Durable; no file where nothing is remembered.
Result<void> write_life(const std::string& folder, const Life& life);

struct QuarantineOptions {
  unsigned crashes = 3;  // at which it ran; 0: nothing is quarantined
  std::chrono::milliseconds within{600'000};
};

// Takes the death of the process before this one into the model's life; true where that changed
// something. A noted crash counts against what ran. An end without a signal (kill -9, no memory)
// counts only against a version that had not answered anybody since it was loaded: one that had is
// more likely a bystander.
bool learn_from(const Death& death, const std::string& name, int64_t now_ms,
                const QuarantineOptions& options, Life& life);

}  // namespace holdfast::inference
