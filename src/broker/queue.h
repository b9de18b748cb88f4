// Messages on their way, on disk until whoever gets them has acknowledged. Component "broker" of
// edge.db.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "broker/route.h"
#include "net/wake.h"
#include "store/database/database.h"

namespace holdfast::broker {

struct Queued {
  int64_t sequence = 0;
  std::string input;  // of a module
  Message message;
};

// Any thread may call; one task a target takes from it.
class MessageQueue {
 public:
  // Migrates. `max_bytes` counts bodies and properties.
  static Result<std::unique_ptr<MessageQueue>> open(store::Database& database, const Clock& clock,
                                                    uint64_t max_bytes);

  // Durable when it returns, for all of `where` or none. A file event that is queued for a target
  // already is left as it is, and does not expire: its file does not either. unavailable "full":
  // over the cap.
  Task<Result<void>> add(Message message, std::vector<Destination> where, std::string event = "");
  // The next ones, by priority and then age, of those that are neither expired nor handed out
  // already. They are handed out until done() or give_back().
  Task<Result<std::vector<Queued>>> next(std::string target, size_t limit);
  // Delivered: gone from disk when it returns.
  Task<Result<void>> done(std::string target, int64_t sequence);
  void give_back(const std::string& target, int64_t sequence);
  void give_back_all(const std::string& target);
  size_t handed_out(const std::string& target) const;

  // Deletes what has expired; how many.
  Task<Result<int64_t>> sweep();
  // Everything that waits for a target which is no longer there.
  Task<Result<void>> drop_target(std::string target);
  void set_max_bytes(uint64_t bytes) { max_bytes_ = bytes; }

  struct Counts {
    uint64_t messages = 0, bytes = 0;
  };
  Task<Result<std::map<std::string, Counts>>> counts();  // by target
  uint64_t bytes() const { return bytes_; }
  uint64_t expired() const { return expired_; }

  // Until there may be something new for the target, or `most`.
  Task<void> wait_for_work(std::string target, std::chrono::milliseconds most);
  void notify(const std::string& target);
  // Called, on any thread, when the last copy of a file event's message has been delivered, or was
  // dropped with its target.
  void on_event_done(std::function<void(std::string event)> call) { event_done_ = std::move(call); }
  void on_event_dropped(std::function<void(std::string event)> call) {
    event_dropped_ = std::move(call);
  }

 private:
  MessageQueue(store::Database& database, const Clock& clock, uint64_t max_bytes)
      : database_(database), clock_(clock), max_bytes_(max_bytes) {}
  struct Target {
    Wake wake;
    std::set<int64_t> out;   // handed out
    std::set<int64_t> gone;  // done since the read under way began
  };
  Target& target(const std::string& name);
  store::Database& database_;
  const Clock& clock_;
  std::atomic<uint64_t> max_bytes_, bytes_{0}, expired_{0};
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Target>> targets_;
  std::function<void(std::string)> event_done_, event_dropped_;
};

}  // namespace holdfast::broker
