// The flow of one local share through one transform: every file is decoded, answered by a model
// where one is asked, and its tensor goes into a batch. Consumer "transform:NAME" of the share's
// events.
//
// Exactly one answer line per event in effect, over a kill at any point:
//  1. A line is appended and fdatasync'ed into the open answer file.
//  2. The row is added to the batch plan; the event is marked done (each in a durable transaction).
//  3. An answer file is renamed to its final name only when every event in it is marked done.
// Killed before 1 is durable: the torn line is cut off at the next start, the event is pending and
// is answered. Killed between 1 and 2: the line is in the open file (3 has not happened), so its id
// counts as answered; the event only gets its row and its mark. Killed between 2 and 3: all is
// done, the open file is taken up again and closes later. Were the rename first, a kill before the
// marks would leave pending events whose lines are in a file that may have been uploaded and
// removed: they would be answered twice.
#pragma once

#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <string>

#include "answers/batches.h"
#include "answers/model_client.h"
#include "answers/source_file.h"
#include "base/line_file.h"
#include "net/task_group.h"
#include "net/wake.h"

namespace holdfast::answers {

struct AnswerTarget {
  std::string name, model, to, folder;  // `to` names the share, `folder` is its path
  size_t lines = 1000;
  std::chrono::milliseconds after{10000};
};
struct BatchTarget {
  std::string to, folder;
  BatchLimits limits;
};
struct FlowConfig {
  std::string device, transform, recipe_file;
  shares::ShareConfig share;
  transform::Recipe recipe;
  std::optional<AnswerTarget> answers;
  std::optional<BatchTarget> batches;
  size_t in_flight = 4;  // files that are worked on at a time; bounds memory
};

struct FlowStatus {
  // running, waiting (for the model), mismatch, stopped; way of the last answer: local, http
  std::string state = "starting", message, way;
  uint64_t answered = 0, set_aside = 0, skipped = 0;  // since start
  size_t open_lines = 0, samples = 0;
  double p50_ms = 0, p99_ms = 0;  // file closed → answer on disk, over the last 10,000
  std::deque<std::string> last;   // answer lines, newest last, at most 100
};

// Everything but status() runs on one executor, whose context must have one thread.
class Flow {
 public:
  // All must outlive its tasks. The consumer must be registered.
  Flow(FlowConfig config, shares::FileEvents& events, store::Database& database,
       http::Client& client, ModelServer server, BlockingPool& pool, const Clock& clock);
  void start(Executor executor, TaskGroup& group);
  FlowStatus status() const;  // any thread
  const FlowConfig& config() const { return config_; }
  std::string consumer() const { return "transform:" + config_.transform; }
  void nudge();  // looks again for what is due; any thread

 private:
  struct Append {  // one line on its way to the disk
    std::string line, id;
    std::optional<Result<void>> result;
    Wake wake;
  };
  Task<void> run();
  Task<void> write_answers();
  Task<void> write_batches();
  Task<void> recover();
  Task<void> handle(shares::FileEvent event, bool answered);
  Task<Result<Prepared>> prepared(shares::FileEvent event);
  Task<bool> answer(shares::FileEvent event, const Prepared& row);
  Task<Result<ModelAnswer>> ask(const transform::Tensor& row);
  Task<Result<void>> append(std::string line, std::string id);
  Task<void> put_aside(shares::FileEvent event, Error error);
  Task<void> settle(shares::FileEvent event, Prepared row);
  Task<void> mark_done(std::string id);
  Task<void> flush();
  bool due_to_close() const;
  void set_state(std::string_view state, std::string message);
  void answered(const shares::FileEvent& event, std::string line);

  FlowConfig config_;
  shares::FileEvents& events_;
  store::Database& database_;
  ModelClient model_;
  BlockingPool& pool_;
  const Clock& clock_;

  std::optional<Executor> executor_;
  TaskGroup* group_ = nullptr;
  std::set<std::string> working_, finished_;  // ids on their way; done since the last look
  std::optional<ModelInput> input_;
  std::string digest_;
  std::optional<LineFile> file_;
  std::list<std::shared_ptr<Append>> appends_;
  size_t unsettled_ = 0;  // lines of the open file whose events are not marked done yet
  bool recovered_ = false;
  size_t rows_waiting_ = 0;
  WallTime oldest_row_{};
  Wake slot_, writer_, batcher_;

  mutable std::mutex mutex_;  // of what follows
  FlowStatus status_;
  std::vector<float> latencies_;
  size_t next_latency_ = 0;
};

}  // namespace holdfast::answers
