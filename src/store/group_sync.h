// A thread that writes what many callers hand it and makes it durable with one fdatasync for all
// who wait. For store/ alone.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/runtime.h"

namespace holdfast::store {

// fdatasync in one place, so that a fault build can leave it out. internal: never retried as
// success.
Result<void> sync_data(int fd);

// Batch: Result<void>(vector<Item>&) writes and syncs a whole group, filling each item's answer.
template <class Item>
class GroupWriter {
 public:
  explicit GroupWriter(std::function<Result<void>(std::vector<std::unique_ptr<Item>>&)> batch)
      : batch_(std::move(batch)), thread_([this] { loop(); }) {}
  ~GroupWriter() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    ready_.notify_one();
    thread_.join();
  }
  GroupWriter(const GroupWriter&) = delete;
  GroupWriter& operator=(const GroupWriter&) = delete;

  // Resumes when the item is durable; gives it back filled.
  Task<Result<std::unique_ptr<Item>>> write(std::unique_ptr<Item> item) {
    auto waiting = std::make_shared<Waiting>();
    waiting->item = std::move(item);
    std::function<void(std::function<void()>)> start = [this,
                                                        waiting](std::function<void()> resume) {
      waiting->resume = std::move(resume);
      {
        const std::lock_guard lock(mutex_);
        queue_.push_back(waiting);
      }
      ready_.notify_one();
    };
    co_await suspend(std::move(start));
    if (waiting->error) co_return std::unexpected(*waiting->error);
    co_return std::move(waiting->item);
  }

 private:
  struct Waiting {
    std::unique_ptr<Item> item;
    std::optional<Error> error;
    std::function<void()> resume;
  };

  void loop() {
    std::vector<std::shared_ptr<Waiting>> group;
    std::vector<std::unique_ptr<Item>> items;
    for (;;) {
      group.clear();
      items.clear();
      {
        std::unique_lock lock(mutex_);
        ready_.wait(lock, [this] { return closing_ || !queue_.empty(); });
        if (queue_.empty()) return;
        group.swap(queue_);
      }
      for (auto& waiting : group) items.push_back(std::move(waiting->item));
      const Result<void> done = batch_(items);
      for (size_t i = 0; i < group.size(); ++i) {
        group[i]->item = std::move(items[i]);
        if (!done) group[i]->error = done.error();
        auto resume = std::move(group[i]->resume);
        resume();
      }
    }
  }

  std::function<Result<void>(std::vector<std::unique_ptr<Item>>&)> batch_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::vector<std::shared_ptr<Waiting>> queue_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace holdfast::store
