// Running one or several requests that wait for the same model. Blocking.
#pragma once

#include <functional>
#include <vector>

#include "inference/scheduler.h"

namespace holdfast::inference {

// A request in the queue; lives in its caller's frame.
struct Waiting {
  Waiting(Loaded& model, const Inputs& in, const std::vector<std::string>& out,
          const RunOptions& how)
      : loaded(model), inputs(in), outputs(out), options(how), rows(rows_of(in)) {}
  Loaded& loaded;
  const Inputs& inputs;
  const std::vector<std::string>& outputs;
  const RunOptions& options;
  const uint64_t rows;  // 0: is run alone
  MonoTime arrived{};
  std::function<void()> resume;
  Outcome outcome;

  unsigned level() const {
    constexpr unsigned kDefault = 5, kLowest = 9;
    return options.priority == 0 ? kDefault : std::min(options.priority, kLowest);
  }
};

struct Execution {
  int64_t ns = 0;
  enum class Proof { none, agreed, differed } proof = Proof::none;
};

// One by itself, at the cost of the time since `start`.
void run_singly(Waiting& waiting, MonoTime start);

// Sets every request's outcome but for its time in the queue. With `prove`, what was run together
// is run singly as well, and where that answers otherwise the single answers count.
Execution execute(const std::vector<Waiting*>& batch, bool prove);

}  // namespace holdfast::inference
