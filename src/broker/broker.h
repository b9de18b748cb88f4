// What MQTT means to the modules of this device: SAS connects, outputs and inputs along routes,
// twins that work where the hub is away. The handler of an mqtt::Server.
// Source: Azure/iotedge, edgeHub; what azure-iot-device sends decides the rest.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "broker/queue.h"
#include "broker/twins.h"
#include "broker/upstream.h"
#include "net/mqtt/session.h"
#include "net/task_group.h"

namespace holdfast::broker {

struct BrokerParts {
  store::Database& database;
  const Clock& clock;
  Upstream& upstream;
  std::string device;
  // The keys (base64) of a module of this device; none: it is not let in.
  std::function<std::vector<std::string>(const std::string& module)> keys;
  uint64_t max_bytes = 256 << 20;  // of waiting messages
  std::string version;             // of the program
  size_t in_flight = 16;           // messages under way to the hub, and to each module
};

// Any thread may call.
class Broker final : public mqtt::Handler {
 public:
  // Takes up routes, messages and twins from disk. All parts must outlive the tasks that start()
  // spawns, and the server that this handles.
  static Result<std::unique_ptr<Broker>> open(BrokerParts parts);
  ~Broker() override;
  void start(Executor executor, TaskGroup& group);

  // The whole of $edgeHub's desired properties. Durable when it returns; a document that can not
  // be read changes nothing but the reported status.
  Task<Result<void>> set_desired(boost::json::object desired);
  boost::json::object reported() const;        // as $edgeHub reports it
  void on_change(std::function<void()> call);  // of reported(); on any thread

  // A message of a built-in module. Durable for every endpoint when it returns; how many there
  // are (0: no route takes it). unavailable "full".
  Task<Result<size_t>> publish_local(Message message, std::string event);
  bool has_route(std::string_view source) const;

  // The link to the hub came or went.
  void upstream_changed();
  // A module's own link came: its twin is read anew, what it reported is sent.
  void module_linked(const std::string& module);
  // Its desired properties have changed by `patch` (with $version).
  void desired_changed(const std::string& module, boost::json::object patch);
  // The modules of the deployment; what waits for others is dropped, and they are put out.
  Task<void> set_modules(std::set<std::string> modules);

  MessageQueue& queue() { return *queue_; }
  uint64_t unrouted() const { return unrouted_; }  // messages that no route took

  Task<mqtt::ConnectAnswer> connect(const mqtt::Connect& request, const mqtt::Peer& peer) override;
  void connected(const std::shared_ptr<mqtt::Session>& session) override;
  Task<uint8_t> subscribe(std::shared_ptr<mqtt::Session> session,
                          mqtt::Subscription wanted) override;
  void subscribed(const std::shared_ptr<mqtt::Session>& session,
                  const mqtt::Subscription& granted) override;
  Task<void> unsubscribe(std::shared_ptr<mqtt::Session> session, std::string filter) override;
  Task<Result<void>> publish(std::shared_ptr<mqtt::Session> session,
                             mqtt::Publish message) override;
  Task<void> will(std::shared_ptr<mqtt::Session> session, mqtt::Will will) override;
  void disconnected(const std::shared_ptr<mqtt::Session>& session, mqtt::Ended how) override;

 private:
  struct Client;  // the context of a session
  struct Module;  // what is known of one
  explicit Broker(BrokerParts parts);
  Result<mqtt::ConnectAnswer> check(const mqtt::Connect& request) const;
  Task<Result<size_t>> route(Message message, std::string event);
  Task<void> answer_get(std::shared_ptr<mqtt::Session> session, std::string rid);
  Task<void> answer_patch(std::shared_ptr<mqtt::Session> session, std::string rid,
                          std::string payload);
  std::shared_ptr<mqtt::Session> session_of(const std::string& module) const;
  void want_sync(const std::string& module, bool whole);
  Task<void> sync(std::string module);
  Task<Result<void>> sync_once(std::string module, bool whole);
  Task<void> apply_desired(std::string module, boost::json::object patch);
  void send_desired(const std::string& module, const boost::json::object& patch);
  void want_pump(const std::string& module);
  Task<void> pump_inputs(std::string module);
  Task<std::chrono::milliseconds> pump_once(std::string module);
  Task<void> delivered(std::string module, int64_t sequence);
  Task<void> pump_upstream();
  Task<void> forward(Queued message);
  Task<void> sweep();
  void changed() const;

  BrokerParts parts_;
  std::unique_ptr<MessageQueue> queue_;
  std::unique_ptr<ModuleTwins> twins_;
  std::optional<Executor> executor_;
  TaskGroup* group_ = nullptr;
  std::function<void()> on_change_;
  std::atomic<uint64_t> unrouted_{0};
  mutable std::mutex mutex_;  // of all below
  HubConfig config_;
  int64_t desired_version_ = 0;
  int status_code_ = 200;
  std::string status_text_;
  std::map<std::string, std::unique_ptr<Module>> modules_;
};

}  // namespace holdfast::broker
