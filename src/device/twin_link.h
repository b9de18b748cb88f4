// One module's twin, kept level with the hub over a link of its own. Source: a desired patch
// carries $version, and a gap in it asks for the whole twin.
#pragma once

#include <boost/json/object.hpp>

#include <functional>
#include <memory>
#include <mutex>

#include "device/link.h"
#include "net/task_group.h"
#include "net/wake.h"

namespace holdfast::device {

// Made and used on `executor`'s thread, but report(), connected() and link() from any.
class TwinLink {
 public:
  // `identity` must outlive it. `desired` is called on the executor with the whole section, at
  // every connect and change; an error of it is logged, and the next change calls it again.
  using Desired = std::function<Task<Result<void>>(boost::json::object)>;
  TwinLink(Executor executor, const Identity& identity, std::string module, Desired desired);
  ~TwinLink();

  // Called on the executor when the link came or went. Set before start().
  void on_state(std::function<void()> call) { state_call_ = std::move(call); }
  // Connects, and goes on until the group is cancelled.
  void start(TaskGroup& group);
  // Ends the connection; before the link is destroyed, and after its group has ended.
  Task<void> stop();
  // What shall stand in the reported section; the newest counts. Any thread.
  void report(boost::json::object reported);
  bool connected() const { return link_->connected(); }
  Link& link() { return *link_; }  // for messages

 private:
  Task<void> run();
  Task<Result<void>> level();
  Task<Result<void>> read_twin();
  Task<void> give_desired();
  void patched(boost::json::object patch);

  Executor executor_;
  const std::string module_;
  Desired desired_call_;
  std::function<void()> state_call_;
  std::unique_ptr<Link> link_;
  Wake wake_;
  boost::json::object desired_, known_;  // known_: what the hub has as reported
  int64_t heard_ = -1;                   // the newest version of a patch while the twin is read
  bool whole_ = false;                   // desired_ and known_ are the hub's
  bool fresh_ = false;                   // desired_ was not given yet
  mutable std::mutex mutex_;             // of wanted_
  boost::json::object wanted_;
  bool has_wanted_ = false;
};

}  // namespace holdfast::device
