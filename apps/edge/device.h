// The edge as a device of its hub: what is desired of it, what it reports, its modules and their
// broker.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "broker.h"
#include "config.h"
#include "device/twin_link.h"
#include "modules.h"
#include "modules/reconciler.h"
#include "upstream.h"

namespace holdfast {

class DevicePart {
 public:
  struct Parts {
    const EdgeConfig& config;
    store::Database& database;
    shares::FileEvents& events;
    BlockingPool& pool;
    const Clock& clock;
    Runtime& runtime;
    std::string serve;  // the inference server's URL, where deployed models go
  };
  // Null where the configuration names no hub. All of `parts` must outlive it. Before the shares'
  // watchers start.
  static Result<std::unique_ptr<DevicePart>> open(Parts parts);
  using Summary = std::function<Task<Result<boost::json::object>>()>;
  // What is reported of the edge besides its modules, asked every few seconds. Before start().
  void summarise(Summary summary) { summary_ = std::move(summary); }
  // Opens the broker's door; after an error nothing runs.
  Result<void> start();
  void stop();  // blocking
  bool connected() const { return agent_->connected(); }
  boost::json::object reported() const { return reconciler_->reported(); }
  std::string mqtt() const { return broker_->address(); }  // "127.0.0.2:8883"

 private:
  explicit DevicePart(Parts parts)
      : parts_(std::move(parts)), executor_(parts_.runtime.executor(0)) {}
  Result<void> open_reconciler();
  Result<void> open_broker();
  void open_links();
  Task<Result<void>> take_desired(boost::json::object whole);
  Task<void> level_clients();
  void report();
  Task<void> report_summary();

  Parts parts_;
  Executor executor_;
  std::unique_ptr<http::Client> client_, serve_client_;
  std::unique_ptr<device::Identity> identity_;
  std::unique_ptr<oci::RegistryClient> registry_;
  std::unique_ptr<modules::HttpModelServer> models_;
  std::unique_ptr<ModuleHosts> hosts_;
  std::unique_ptr<modules::Reconciler> reconciler_;
  std::unique_ptr<HubUpstream> upstream_;
  std::unique_ptr<BrokerPart> broker_;
  std::unique_ptr<device::TwinLink> agent_, hub_;
  TaskGroup group_;
  Summary summary_;
  std::mutex mutex_;
  boost::json::object summarised_;  // under mutex_
};

}  // namespace holdfast
