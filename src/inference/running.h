// Which models run at this moment, in a small file that is mapped into memory and outlives the
// process: after a crash it tells what was running, at the price of two stores a run. It need not
// survive a loss of power, which is no model's fault.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "inference/engine.h"

namespace holdfast::inference {

// What the process before this one left.
struct Death {
  bool orderly = true;  // or there was none
  int signal = 0;       // 0: none was noted, as of kill -9
  struct Seen {
    std::string name;
    int64_t version = 0;
    bool loading = false, answered = false;  // a request, since it was loaded
  };
  std::vector<Seen> suspects;  // that ran: on the thread that crashed where it is known, else all
  std::vector<Seen> loaded;    // that did not
};

class RunningPage;

// One model version in the page, while this lives.
class Running {
 public:
  Running(std::shared_ptr<RunningPage> page, uint32_t row) : page_(std::move(page)), row_(row) {}
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  void answered();
  int64_t longest_ns() const;  // since the oldest of its runs began; 0: none is under way

  // Marks the calling thread's run.
  class Run {
   public:
    explicit Run(Running& of, bool loading = false);
    ~Run();
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

   private:
    Running& of_;
    size_t slot_;
  };

 private:
  std::shared_ptr<RunningPage> page_;
  const uint32_t row_;  // 0: the page is full, nothing is marked
};
using RunningPtr = std::shared_ptr<Running>;

// Any thread may call.
class RunningPage : public std::enable_shared_from_this<RunningPage> {
 public:
  // `path` empty: memory of this process alone. Reads what is there, then begins anew.
  static Result<std::shared_ptr<RunningPage>> open(const std::string& path);
  RunningPage(Death last, void* memory) : last_(std::move(last)), memory_(memory) {}
  ~RunningPage();  // marks the end as orderly
  RunningPage(const RunningPage&) = delete;
  RunningPage& operator=(const RunningPage&) = delete;

  const Death& last() const { return last_; }
  RunningPtr add(std::string_view name, int64_t version);
  // Notes the signal and the thread of a crash from now on. For a program's main, once.
  void note_signals();

 private:
  friend class Running;
  const Death last_;
  void* const memory_;
};

// The same model, whose runs are marked.
std::unique_ptr<Model> mark_runs(std::unique_ptr<Model> model, RunningPtr running);

}  // namespace holdfast::inference
