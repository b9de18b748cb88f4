// Where requests wait for a lane: a bounded queue for each model version, in the order of priority
// and then arrival. A free lane takes the model that has had the least time so far; from its queue
// the first request, and with it those of its kind, where what was learned of the model says that
// running them together pays. It waits for more only where all lanes are busy anyway, callers that
// were just answered are likely to come back, and merging saves more than the wait costs.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "inference/batch.h"
#include "inference/loaded.h"
#include "net/runtime.h"

namespace holdfast::inference {

struct SchedulerOptions {
  unsigned lanes = 2;  // runs at the same time
  size_t queue = 256;  // requests of one model version that wait; further ones are refused
  bool merge = true;
};

// What became of one request, for whoever asks.
struct RunReport {
  Timing timing;
  MonoTime begun{};       // when the run was asked for
  MonoTime ran{};         // when it began, its inputs' merging included
  size_t merged = 0;      // requests in it; 0: it was not begun
  bool answered = false;  // by the model
};

struct RunOptions {
  MonoTime deadline = MonoTime::max();  // after it the request is not begun: timed_out
  unsigned priority = 0;                // 1 (the highest) to 9; 0 is as 5
  // Whether nobody waits for the answer any more; asked before a run that had to wait, on any
  // thread. May be empty.
  std::function<bool()> abandoned;
  RunReport* report = nullptr;  // is filled where it is there
  std::string_view id;          // the client's
};

struct Outcome {
  Result<Outputs> answer = fail(Code::internal, "not run");
  Timing timing;      // without the whole
  MonoTime ran{};     // when the run began
  size_t merged = 0;  // requests in the run; 0: it was not begun
};

// Any thread may call. Models whose requests wait must outlive them.
class Scheduler {
 public:
  explicit Scheduler(SchedulerOptions options);
  ~Scheduler();  // no request may wait
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // All must stay until it returns; it is not cancelled. unavailable with the reason "queue_full";
  // timed_out: not begun before its deadline, told when it passes; cancelled: abandoned; else what
  // the model says. One request's refusal is not another's.
  Task<Outcome> run(Loaded& loaded, const Inputs& inputs, const std::vector<std::string>& outputs,
                    const RunOptions& options);

  // For requests that need no lane. Up to how many rows one of `rows` is put together with others,
  // the run likely to take less than `quick_ns`; `rows`: with none.
  uint64_t most_rows(Loaded& loaded, uint64_t rows, int64_t quick_ns);
  // Runs requests of one kind on the caller's thread and sets their outcomes.
  void run_now(const std::vector<Waiting*>& batch);

 private:
  bool merges(const Loaded& loaded) const;
  bool enqueue(Waiting& waiting);
  void start_lane();  // where one is free
  Loaded* next();     // the model whose turn it is; null: nothing waits
  void take(Waiting& waiting);
  void lane();
  // Adds what joins the batch's first, up to `most` rows.
  void gather(std::vector<Waiting*>& batch, uint64_t most);
  void wait_for_more(std::vector<Waiting*>& batch, uint64_t most,
                     std::unique_lock<std::mutex>& lock);
  void expire();

  const SchedulerOptions options_;
  std::mutex mutex_;
  std::condition_variable arrived_, earlier_;
  std::vector<Loaded*> ready_;  // those for which requests wait
  std::set<std::pair<MonoTime, Waiting*>> deadlines_;
  unsigned busy_ = 0;
  int64_t turn_ = 0;  // the time that the model whose turn it last was had had by then
  bool ending_ = false;
  std::thread expirer_;  // from the first deadline on
  BlockingPool pool_;
};

}  // namespace holdfast::inference
