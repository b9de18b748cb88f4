// The threads: one io_context a core, each run by one thread; named pools for blocking work.
//
// Lifetime: make it first in main(), destroy it last. run() blocks until SIGINT, SIGTERM or stop().
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "net/task.h"

namespace holdfast {

class Runtime {
 public:
  // `threads` 0: one for each core that this process may use, at most 16.
  explicit Runtime(unsigned threads = 0);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  unsigned size() const;
  Executor executor(unsigned index);
  Executor next_executor();  // round robin; any thread

  void start();  // returns at once; the threads run
  // Starts if needed and blocks until a signal or stop(); returns the signal's number or 0.
  int wait();
  void stop();  // any thread, also before wait()

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Runs one thing that is ready on the calling thread, within what that does now; it may call this
// in turn, so the caller holds no lock and bounds the depth. false: nothing is ready, or the thread
// is not a Runtime's.
bool run_another() noexcept;

// A named pool for blocking calls (disk, database, decoding). Any thread may submit; joins on
// destruction after the work that was already submitted.
class BlockingPool {
 public:
  BlockingPool(std::string name, unsigned threads);
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  void submit(std::function<void()> work);

  // Runs `work` (returning R, which must be movable) on the pool; the caller resumes on its own
  // executor. An exception in `work` is rethrown there.
  template <class F>
  auto run(F work) -> Task<decltype(work())>;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Runs one task to its end on a context of its own: for tests, the CLI and start-up. Rethrows.
template <class T>
T run_task(Task<T> task);

}  // namespace holdfast

#include "net/runtime_impl.h"
