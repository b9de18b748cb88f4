// What requests leave to one thread to work on: a bounded queue and that thread. A request never
// waits for it; what finds no room is dropped and counted.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace holdfast::inference {

template <class T>
struct BackgroundOptions {
  uint64_t (*weigh)(const T&);  // bytes, or what else is bounded
  uint64_t most;                // there is room while less than this is here, work under way too
  size_t items = SIZE_MAX;      // and fewer than these wait
  uint64_t due = 0;             // take() waits until there is something, and so much,
  std::chrono::milliseconds every = std::chrono::hours(24);  // but no longer
  uint64_t batch = UINT64_MAX;                               // and gives as many as make up so much
  bool drops = false;  // at the end, what waits; else take() gives it first
};

// Declare it last in its owner, whose other members the thread uses. Any thread may call offer()
// and dropped(), the worker's thread the rest.
template <class T>
class Background {
 public:
  // `work` calls take() until that is the end; it runs from the first item on, or from start().
  Background(BackgroundOptions<T> options, std::function<void()> work)
      : options_(options), work_(std::move(work)) {}
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  void start() {
    const std::lock_guard lock(mutex_);
    if (!thread_.joinable()) thread_ = std::thread(work_);
  }

  // Adds what `make` returns, an item or nothing; where there is no room it is not called. False:
  // dropped.
  template <class Make>
  bool offer(const Make& make) noexcept {
    try {
      if (has_room()) {
        std::optional<T> item = make();
        if (!item) return true;
        const uint64_t weight = options_.weigh(*item);
        start();
        const std::lock_guard lock(mutex_);
        waiting_.push_back(std::move(*item));
        weight_ += weight;
        if (weight_ >= options_.due) wake_.notify_one();
        return true;
      }
    } catch (const std::exception&) {  // memory: the request itself may still succeed
    }
    ++dropped_;
    return false;
  }
  uint64_t dropped() const { return dropped_; }  // items

  // The next ones, none where time has passed; what was taken before is done with. nullopt: the
  // end.
  std::optional<std::vector<T>> take() {
    std::unique_lock lock(mutex_);
    weight_ -= std::exchange(taken_, 0);
    wake_.wait_for(lock, options_.every,
                   [this] { return ending_ || (!waiting_.empty() && weight_ >= options_.due); });
    if (ending_ && (options_.drops || waiting_.empty())) return std::nullopt;
    std::vector<T> out;
    while (!waiting_.empty() && (out.empty() || taken_ < options_.batch)) {
      taken_ += options_.weigh(waiting_.front());
      out.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    return out;
  }

  // Between two tries of what was taken. True: it is to end.
  bool pause(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return wake_.wait_for(lock, time, [this] { return ending_; });
  }
  bool ending() { return pause(std::chrono::milliseconds(0)); }

 private:
  bool has_room() const {
    const std::lock_guard lock(mutex_);
    return weight_ < options_.most && waiting_.size() < options_.items;
  }

  const BackgroundOptions<T> options_;
  const std::function<void()> work_;
  std::atomic<uint64_t> dropped_{0};
  mutable std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  std::deque<T> waiting_;
  uint64_t weight_ = 0, taken_ = 0;  // taken: of it, by the last take()
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace holdfast::inference
