// A database whose writes are committed in order but told in any: for tests of what callers make
// of results that overtake each other. Any thread.
#pragma once

#include <condition_variable>
#include <mutex>
#include <vector>

#include "store/database/database.h"

namespace holdfast::store {

// `inner` must outlive it. Release what is held before it goes.
class HoldingDatabase final : public Database {
 public:
  explicit HoldingDatabase(Database& inner) : inner_(inner) {}

  // From now on a write that is committed is told to its caller only when it is released.
  void hold() {
    const std::lock_guard lock(mutex_);
    holding_ = true;
  }
  // Blocks until `count` committed writes are held; false: not within `patience`.
  bool wait_held(size_t count, std::chrono::seconds patience = std::chrono::seconds(60)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return held_.size() >= count; });
  }
  // Tells the caller of the held write at `index`, in the order of their commits.
  void release(size_t index = 0) {
    std::function<void()> tell;
    {
      const std::lock_guard lock(mutex_);
      tell = std::move(held_.at(index));
      held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(index));
    }
    tell();
  }

  Result<void> write_now(std::function<Result<void>(Tx&)> work) override {
    return inner_.write_now(std::move(work));
  }
  Result<void> migrate(std::string_view component, std::span<const Migration> migrations) override {
    return inner_.migrate(component, migrations);
  }

 protected:
  void submit_write(std::function<Result<void>(Tx&)> work,
                    std::function<void(Result<void>)> done) override {
    forward_write(inner_, std::move(work), [this, done = std::move(done)](Result<void> result) {
      std::unique_lock lock(mutex_);
      if (!holding_) {
        lock.unlock();
        return done(std::move(result));
      }
      held_.emplace_back([done, result = std::move(result)] { done(result); });
      changed_.notify_all();
    });
  }
  void submit_read(std::function<Result<void>(Tx&)> work,
                   std::function<void(Result<void>)> done) override {
    forward_read(inner_, std::move(work), std::move(done));
  }

 private:
  Database& inner_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool holding_ = false;
  std::vector<std::function<void()>> held_;
};

}  // namespace holdfast::store
