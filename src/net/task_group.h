// Structured life for coroutines: every task is spawned into a group that its owner cancels and
// joins.
#pragma once

#include <memory>

#include "net/task.h"

namespace holdfast {

// Any thread may call. The destructor cancels; it must not run before join() finished (asserted).
class TaskGroup {
 public:
  TaskGroup();
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts `task` on `executor`. After cancel() it is dropped unstarted. An exception that leaves
  // the task is logged as a bug under `name`.
  void spawn(Executor executor, std::string_view name, Task<void> task);
  void cancel();        // asks every task to end; waits inside them fail with `cancelled`
  Task<void> join();    // until every task has ended
  size_t size() const;  // running tasks

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace holdfast
