// Compares a sample of the live requests of every model that has a profile with it, a window at a
// time, and raises an event when a model begins to drift. A model without a profile pays one look
// at a pointer a request. A request never waits: what the watching thread cannot take is dropped
// and counted.
#pragma once

#include <mutex>
#include <optional>

#include "inference/background.h"
#include "inference/drift/events.h"
#include "inference/observer.h"

namespace holdfast::inference {

struct DriftOptions {
  DriftLimits limits;
  double share = 100;          // percent of the requests; 0: nothing is watched
  std::string directory;       // of the events
  std::string state_file;      // what is remembered over a restart
  std::string device;          // that the events name; "": none
  uint64_t memory = 16 << 20;  // bytes of rows that wait to be looked at
};

struct DriftStatus {
  uint64_t rows = 0;     // in the window that fills
  uint64_t windows = 0;  // closed
  std::string event;     // the id of the last one while it drifts; empty: it does not
  std::optional<DriftReport> last;
};

class DriftMonitor final : public Observer {
 public:
  // `clock` must outlive it. As DriftEvents::open().
  static Result<std::unique_ptr<DriftMonitor>> open(DriftOptions options, const Clock& clock);

  void answered(const Loaded& loaded, const Inputs& inputs, const Outputs& outputs,
                const RunOptions& options) noexcept override;
  std::string metrics() const override;
  DriftStatus status(const Loaded& loaded) const;
  const DriftOptions& options() const { return options_; }

 private:
  struct Seen {
    DriftSubject subject;
    ProfilePtr profile;
    Taken taken;
  };
  struct Watch {
    Watch(ProfilePtr profile, DriftLimits limits) : window(std::move(profile), limits) {}
    DriftWindow window;
    DriftStatus status;
  };
  DriftMonitor(DriftOptions options, const Clock& clock, DriftEvents events);
  void run();
  void look_at(const Seen& seen);
  void close_where_due();
  void close(const DriftSubject& subject, Watch& watch);
  void deliver();

  const DriftOptions options_;
  const Clock& clock_;
  bool failing_ = false;  // of the thread
  std::atomic<uint64_t> rows_{0}, unwatched_{0}, raised_{0};
  mutable std::mutex watches_mutex_;  // of what follows
  DriftEvents events_;
  std::map<DriftSubject, Watch> watches_;
  Background<Seen> requests_;  // at the end it looks at what waits
};

}  // namespace holdfast::inference
