#include "inference/scheduler.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "inference/execute.h"

namespace holdfast::inference {
namespace {

using Clock = std::chrono::steady_clock;
constexpr uint64_t kMostBytes = 64 << 20;  // of merged inputs
constexpr int kProofs = 2;
// A peer that only closed its sending side looks gone: who was not made to wait gets its answer.
constexpr auto kLongWait = std::chrono::milliseconds(20);

int64_t cost(const ModelQueue& queue, uint64_t rows) {
  return queue.curve.estimate(rows).value_or(0);
}

MonoTime earliest(const std::vector<Waiting*>& batch) {
  MonoTime time = MonoTime::max();
  for (const Waiting* waiting : batch) time = std::min(time, waiting->options.deadline);
  return time;
}

uint64_t rows_in(const std::vector<Waiting*>& batch) {
  uint64_t rows = 0;
  for (const Waiting* waiting : batch) rows += waiting->rows;
  return rows;
}

uint64_t most_worthwhile(ModelQueue& queue, uint64_t rows) {
  const uint64_t most = queue.curve.worthwhile(rows);
  return queue.most_rows > 0 ? std::max(rows, std::min(most, queue.most_rows)) : most;
}

void take_proof(ModelQueue& queue, const Execution& execution) {
  if (execution.proof == Execution::Proof::agreed) ++queue.proofs;
  if (execution.proof == Execution::Proof::differed) queue.refused = true;
}

std::unexpected<Error> late_error() {
  return fail(Code::timed_out, "the deadline passed before the model could run");
}

bool in_time(MonoTime deadline, MonoTime now, int64_t ns) {
  return deadline == MonoTime::max() || (deadline - now).count() >= ns;
}

}  // namespace

Scheduler::Scheduler(SchedulerOptions options) : options_(options), pool_("runs", options.lanes) {}

Scheduler::~Scheduler() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  earlier_.notify_all();
  if (expirer_.joinable()) expirer_.join();
}

Task<Outcome> Scheduler::run(Loaded& loaded, const Inputs& inputs,
                             const std::vector<std::string>& outputs, const RunOptions& options) {
  Waiting waiting(loaded, inputs, outputs, options);
  std::function<void(std::function<void()>)> start = [&](std::function<void()> resume) {
    waiting.resume = std::move(resume);
    // Once it is in the queue the frame may go on, and end, at any moment.
    if (!enqueue(waiting)) waiting.resume();
  };
  co_await suspend(std::move(start));
  co_return std::move(waiting.outcome);
}

bool Scheduler::enqueue(Waiting& waiting) {
  const std::lock_guard lock(mutex_);
  Loaded& loaded = waiting.loaded;
  ModelQueue& queue = loaded.queue;
  waiting.arrived = Clock::now();
  if (queue.waiting.size() >= options_.queue) {
    waiting.outcome.answer = fail(Code::unavailable, "queue_full",
                                  "the queue of the model '" + loaded.name + "' is full: " +
                                      std::to_string(options_.queue) + " requests wait");
    return false;
  }
  if (queue.expected > 0) {
    --queue.expected;
    queue.return_ns += ((waiting.arrived - queue.answered).count() - queue.return_ns) / 8;
  }
  if (queue.waiting.empty()) {
    // Who asked for nothing for a while has no claim to the time that others had meanwhile.
    queue.used_ns = std::max(queue.used_ns, turn_);
    ready_.push_back(&loaded);
  }
  const auto place = std::ranges::upper_bound(queue.waiting, waiting.level(), {},
                                              [](const Waiting* other) { return other->level(); });
  queue.waiting.insert(place, &waiting);
  loaded.statistics.pending.fetch_add(1, std::memory_order_relaxed);
  if (waiting.options.deadline != MonoTime::max()) {
    const bool first =
        deadlines_.emplace(waiting.options.deadline, &waiting).first == deadlines_.begin();
    if (!expirer_.joinable()) expirer_ = std::thread([this] { expire(); });
    if (first) earlier_.notify_one();
  }
  if (queue.collecting) {
    arrived_.notify_all();
  } else if (!queue.full()) {
    start_lane();
  }
  return true;
}

void Scheduler::start_lane() {
  if (busy_ == options_.lanes) return;
  ++busy_;
  pool_.submit([this] { lane(); });
}

void Scheduler::take(Waiting& waiting) {
  ModelQueue& queue = waiting.loaded.queue;
  std::erase(queue.waiting, &waiting);
  if (queue.waiting.empty()) std::erase(ready_, &waiting.loaded);
  if (waiting.options.deadline != MonoTime::max())
    deadlines_.erase({waiting.options.deadline, &waiting});
  waiting.loaded.statistics.pending.fetch_sub(1, std::memory_order_relaxed);
}

Loaded* Scheduler::next() {
  // One that has all its lanes is taken up again by the lane that ends first.
  const auto key = [](const Loaded* loaded) {
    return std::pair(loaded->queue.full(), loaded->queue.used_ns);
  };
  const auto least = std::ranges::min_element(ready_, {}, key);
  if (least == ready_.end() || key(*least).first) return nullptr;
  turn_ = std::max(turn_, (*least)->queue.used_ns);
  return *least;
}

void Scheduler::gather(std::vector<Waiting*>& batch, uint64_t most) {
  const Waiting& first = *batch[0];
  ModelQueue& queue = first.loaded.queue;
  uint64_t rows = rows_in(batch), bytes = 0;
  for (const Waiting* waiting : batch) bytes += bytes_of(waiting->inputs);
  const auto now = Clock::now();
  for (size_t i = 0; i < queue.waiting.size() && batch.size() < kMostMerged && rows < most;) {
    Waiting& other = *queue.waiting[i];
    const uint64_t size = bytes_of(other.inputs);
    const MonoTime deadline = std::min(earliest(batch), other.options.deadline);
    const bool joins = other.rows > 0 && rows + other.rows <= most && bytes + size <= kMostBytes &&
                       other.outputs == first.outputs && same_kind(other.inputs, first.inputs) &&
                       in_time(deadline, now, cost(queue, rows + other.rows));
    if (!joins) {
      ++i;
      continue;
    }
    take(other);
    batch.push_back(&other);
    rows += other.rows;
    bytes += size;
  }
}

void Scheduler::wait_for_more(std::vector<Waiting*>& batch, uint64_t most,
                              std::unique_lock<std::mutex>& lock) {
  Waiting& first = *batch[0];
  ModelQueue& queue = first.loaded.queue;
  const uint64_t rows = rows_in(batch);
  // Other models' requests, and other kinds of this one's, do not wait for these.
  const bool free = busy_ < options_.lanes && !queue.full();
  if (free || !ready_.empty() || queue.expected == 0 || rows >= most) return;
  const uint64_t more = std::min(queue.expected * first.rows, most - rows);
  const auto now = Clock::now();
  const int64_t together = cost(queue, rows + more);
  const int64_t saved = cost(queue, rows) + cost(queue, more) - together;
  int64_t longest = std::min(2 * queue.return_ns - (now - queue.answered).count(), saved);
  longest = std::min(longest, cost(queue, rows) / 4);
  if (const MonoTime deadline = earliest(batch); deadline != MonoTime::max())
    longest = std::min<int64_t>(longest, (deadline - now).count() - together);
  if (longest <= 0) return;
  const auto until = now + std::chrono::nanoseconds(longest);
  queue.collecting = true;
  while (queue.expected > 0 && rows_in(batch) < most && ready_.empty()) {
    if (arrived_.wait_until(lock, until) == std::cv_status::timeout) break;
    gather(batch, most);
  }
  gather(batch, most);
  queue.collecting = false;
  if (!ready_.empty()) start_lane();  // what came and does not join has not called one
}

bool Scheduler::merges(const Loaded& loaded) const {
  return options_.merge && loaded.mergeable && !loaded.queue.refused;
}

uint64_t Scheduler::most_rows(Loaded& loaded, uint64_t rows, int64_t quick_ns) {
  const std::lock_guard lock(mutex_);
  if (!merges(loaded)) return rows;
  uint64_t most = most_worthwhile(loaded.queue, rows);
  while (most > rows && cost(loaded.queue, most) >= quick_ns) most = std::max(rows, most / 2);
  return most;
}

void Scheduler::run_now(const std::vector<Waiting*>& batch) {
  ModelQueue& queue = batch[0]->loaded.queue;
  std::unique_lock lock(mutex_);
  const bool prove = queue.proofs < kProofs;
  lock.unlock();
  const Execution execution = execute(batch, prove);
  if (execution.proof == Execution::Proof::none) return;
  lock.lock();
  take_proof(queue, execution);
}

void Scheduler::lane() {
  std::unique_lock lock(mutex_);
  while (Loaded* loaded = next()) {
    ModelQueue& queue = loaded->queue;
    // From here on the requests that were taken hold the model.
    std::vector<Waiting*> batch = {queue.waiting.front()};
    take(*batch[0]);
    ++queue.lanes;
    if (batch[0]->rows > 0 && merges(*loaded)) {
      const uint64_t most = most_worthwhile(queue, batch[0]->rows);
      gather(batch, most);
      wait_for_more(batch, most, lock);
    }
    const bool prove = queue.proofs < kProofs;
    // Paid in advance, so that another lane does not take the same model's turn once more.
    const int64_t price = queue.run_ns;
    queue.used_ns += price;
    lock.unlock();
    std::vector<Waiting*> out, late;
    const auto start = Clock::now();
    for (Waiting* waiting : batch) {
      waiting->outcome.timing.queue = (start - waiting->arrived).count();
      if (start >= waiting->options.deadline) {
        waiting->outcome.answer = late_error();
      } else if (start - waiting->arrived >= kLongWait && waiting->options.abandoned &&
                 waiting->options.abandoned()) {
        waiting->outcome.answer = fail(Code::cancelled, "nobody waits for the answer any more");
      } else {
        out.push_back(waiting);
      }
    }
    Execution execution;
    if (!out.empty()) execution = execute(out, prove);
    lock.lock();
    --queue.lanes;
    // Those that wait for its lanes have called none, and this one may be another model's next.
    if (queue.most_lanes > 0 && ready_.size() > 1) start_lane();
    queue.used_ns += execution.ns - price;
    queue.run_ns += (execution.ns - queue.run_ns) / 8;
    take_proof(queue, execution);
    queue.expected = batch.size();
    queue.answered = Clock::now();
    lock.unlock();
    // After the last of these the model may be gone.
    for (Waiting* waiting : batch) std::exchange(waiting->resume, {})();
    lock.lock();
  }
  --busy_;
}

void Scheduler::expire() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    if (deadlines_.empty()) {
      earlier_.wait(lock);
      continue;
    }
    const auto [time, waiting] = *deadlines_.begin();
    if (Clock::now() < time) {
      earlier_.wait_until(lock, time);
      continue;
    }
    take(*waiting);
    waiting->outcome.timing.queue = (Clock::now() - waiting->arrived).count();
    waiting->outcome.answer = late_error();
    const auto resume = std::exchange(waiting->resume, {});
    lock.unlock();
    resume();
    lock.lock();
  }
}

}  // namespace holdfast::inference
