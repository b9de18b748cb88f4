#include "inference/together.h"

#include <utility>

namespace holdfast::inference {
namespace {

// Who looked in vain so often in a row has no company, and looks seldom from then on.
// Odd: of two that come by turns, each does.
constexpr unsigned kOftenInVain = 4, kSeldom = 61;

// What one thread gathers: requests whose callers are on its stack.
struct Gathering {
  std::vector<Waiting*> batch;  // empty: nothing is gathered
  uint64_t rows = 0, most = 0;
  unsigned depth = 0;  // of callers
  unsigned in_vain = 0, asked = 0;

  bool takes(const Waiting& waiting) const {
    const Waiting& first = *batch[0];
    return &waiting.loaded == &first.loaded && waiting.rows > 0 && rows + waiting.rows <= most &&
           waiting.outputs == first.outputs && same_kind(waiting.inputs, first.inputs);
  }
  void add(Waiting& waiting) {
    waiting.arrived = std::chrono::steady_clock::now();
    batch.push_back(&waiting);
    rows += waiting.rows;
  }
};

bool begin(Gathering& gathering, Scheduler& scheduler, const Waiting& waiting, int64_t quick_ns) {
  // Of those on the stack some have their answers: they wait for no other batch.
  if (gathering.depth > 0 || waiting.rows == 0 || !waiting.loaded.mergeable) return false;
  if (gathering.in_vain >= kOftenInVain && ++gathering.asked % kSeldom != 0) return false;
  gathering.rows = 0;
  gathering.most = scheduler.most_rows(waiting.loaded, waiting.rows, quick_ns);
  return gathering.most > waiting.rows;
}

void run_all(Gathering& gathering, Scheduler& scheduler) {
  const std::vector<Waiting*> batch = std::exchange(gathering.batch, {});
  const auto start = std::chrono::steady_clock::now();
  if (batch.size() > 1) {  // who found no company did not wait for any
    for (Waiting* waiting : batch)
      waiting->outcome.timing.queue = (start - waiting->arrived).count();
  }
  gathering.in_vain = batch.size() > 1 ? 0 : gathering.in_vain + 1;
  scheduler.run_now(batch);
}

}  // namespace

bool run_with_ready(Scheduler& scheduler, Waiting& waiting, int64_t quick_ns) {
  constexpr unsigned kMostDeep = 16;  // the stack's
  thread_local Gathering gathering;
  const bool joins = !gathering.batch.empty() && gathering.takes(waiting);
  if (!joins && (!gathering.batch.empty() || !begin(gathering, scheduler, waiting, quick_ns)))
    return false;
  gathering.add(waiting);
  ++gathering.depth;
  const auto ran = [&] { return waiting.outcome.merged > 0; };
  const bool full = gathering.rows >= gathering.most || gathering.depth >= kMostDeep;
  while (!full && !ran() && run_another()) continue;
  if (!ran()) run_all(gathering, scheduler);
  --gathering.depth;
  return true;
}

}  // namespace holdfast::inference
