// One module's twin, kept level with the hub over an MQTT connection of its own. Source: edge.md's
// topics: $iothub/twin/…; a desired patch carries $version, and a gap in it asks for the whole
// twin.
#pragma once

#include <boost/json/object.hpp>

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "device/identity.h"
#include "net/mqtt/client.h"
#include "net/wake.h"

namespace holdfast::device {

// Made and used on `executor`'s thread, but report() and connected() from any.
class TwinLink {
 public:
  // `identity` must outlive it. `desired` is called on the executor with the whole section, at
  // every connect and change; an error of it is logged, and the next change calls it again.
  using Desired = std::function<Task<Result<void>>(boost::json::object)>;
  TwinLink(Executor executor, const Identity& identity, std::string module, Desired desired);
  ~TwinLink();

  // Connects, and goes on until the group is cancelled.
  void start(TaskGroup& group);
  // Ends the connection; before the link is destroyed, and after its group has ended.
  Task<void> stop();
  // What shall stand in the reported section; the newest counts. Any thread.
  void report(boost::json::object reported);
  bool connected() const;

 private:
  Task<Result<mqtt::Credentials>> credentials();
  Task<Result<void>> arrived(mqtt::Publish message);
  Task<void> run();
  Task<Result<void>> level();
  Task<Result<void>> read_twin();
  // Publishes and waits for the answer of this request id.
  Task<Result<std::string>> ask(std::string topic, std::string rid, std::string payload);
  Task<void> give_desired();

  struct Answer {
    int status = 0;
    std::string body;
  };
  Executor executor_;
  const Identity& identity_;
  const std::string module_;
  Desired desired_call_;
  std::unique_ptr<mqtt::Client> client_;
  Wake wake_, answered_;
  uint64_t next_rid_ = 1;
  std::map<std::string, Answer> answers_;
  boost::json::object desired_, known_;  // known_: what the hub has as reported
  bool whole_ = false;                   // desired_ and known_ are the hub's
  bool fresh_ = false;                   // desired_ was not given yet
  mutable std::mutex mutex_;             // of wanted_
  boost::json::object wanted_;
  bool has_wanted_ = false;
};

}  // namespace holdfast::device
