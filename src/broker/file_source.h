// File events as messages of the built-in module `shares`: source
// /messages/modules/shares/outputs/<share>, body {"id","share","path","size","modified"}, message
// id = the event's id. Consumer "modules:<share>" of the share's events; an event is done when
// every module that a route leads to has acknowledged it; it does not expire, and outlives a module
// that is removed. Shares without a route keep theirs.
#pragma once

#include <map>
#include <mutex>
#include <set>

#include "broker/broker.h"
#include "shares/file_events.h"

namespace holdfast::broker {

class FileSource {
 public:
  // Registers the consumers: before the shares' watchers start. All must outlive the tasks.
  static Result<std::unique_ptr<FileSource>> open(std::vector<shares::ShareName> shares,
                                                  shares::FileEvents& events, Broker& broker);
  void start(Executor executor, TaskGroup& group);

 private:
  FileSource(std::vector<shares::ShareName> shares, shares::FileEvents& events, Broker& broker)
      : shares_(std::move(shares)), events_(events), broker_(broker) {}
  Task<void> run(shares::ShareName share);
  Task<bool> raise(shares::FileEvent event);
  Task<void> finish(std::string event);

  std::vector<shares::ShareName> shares_;
  shares::FileEvents& events_;
  Broker& broker_;
  std::optional<Executor> executor_;
  TaskGroup* group_ = nullptr;
  std::mutex mutex_;
  std::map<std::string, std::string> under_way_;  // event → consumer
};

}  // namespace holdfast::broker
