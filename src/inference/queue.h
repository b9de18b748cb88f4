// What the scheduler keeps for one model version. Its lock guards everything here but the curve.
#pragma once

#include <cstdint>
#include <deque>

#include "base/clock.h"
#include "inference/curve.h"

namespace holdfast::inference {

struct Waiting;  // one request

struct ModelQueue {
  std::deque<Waiting*> waiting;  // by priority, then arrival
  unsigned lanes = 0;            // that run these now
  unsigned most_lanes = 0;       // of them; 0: no limit of its own
  uint64_t most_rows = 0;        // in a merged run; 0: as many as pay
  int64_t used_ns = 0;           // of lanes
  int64_t run_ns = 0;            // what a run took of late
  bool collecting = false;       // a lane waits for more of these
  // Callers that were answered last and have not come again since, and how long that takes them.
  uint64_t expected = 0;
  MonoTime answered{};
  int64_t return_ns = 0;
  // The first merged runs are compared with single ones; a model that answers otherwise then has
  // rows that depend on each other, and is run singly from then on.
  int proofs = 0;
  bool refused = false;
  Curve curve;  // any thread

  bool full() const { return most_lanes > 0 && lanes >= most_lanes; }
};

}  // namespace holdfast::inference
