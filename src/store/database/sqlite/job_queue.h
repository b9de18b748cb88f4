// What waits for a connection's thread. For sqlite/ alone.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "store/database/database.h"

namespace holdfast::store {

struct Job {
  std::function<Result<void>(Tx&)> work;
  std::function<void(Result<void>)> done;
};

// A queue that closes. Any thread.
class JobQueue {
 public:
  // False: it is closed, and `job` is left as it is.
  bool push(Job& job) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return false;
      jobs_.push_back(std::move(job));
    }
    ready_.notify_one();
    return true;
  }
  // Up to `limit` jobs at once; none when closed and empty.
  std::vector<Job> pop(size_t limit) {
    return pop_unless(limit, [] { return false; });
  }
  // The same, but none as well where `enough` says so; who changes that calls look_again().
  std::vector<Job> pop_unless(size_t limit, const std::function<bool()>& enough) {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return closed_ || !jobs_.empty() || enough(); });
    std::vector<Job> taken;
    while (!jobs_.empty() && taken.size() < limit) {
      taken.push_back(std::move(jobs_.front()));
      jobs_.pop_front();
    }
    return taken;
  }
  void look_again() {
    {
      const std::lock_guard lock(mutex_);
    }  // who is about to wait sees the change
    ready_.notify_all();
  }
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    ready_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Job> jobs_;
  bool closed_ = false;
};

}  // namespace holdfast::store
