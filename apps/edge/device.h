// The edge as a device of its hub: what is desired of it, and what it reports.
#pragma once

#include <memory>

#include "config.h"
#include "device/twin_link.h"
#include "modules/reconciler.h"

namespace holdfast {

class DevicePart {
 public:
  // Null where the configuration names no hub. All must outlive it. `serve`: the inference server's
  // URL, where deployed models go.
  static Result<std::unique_ptr<DevicePart>> open(const EdgeConfig& config,
                                                  store::Database& database, BlockingPool& pool,
                                                  const Clock& clock, Executor executor,
                                                  const std::string& serve);
  void start(TaskGroup& group);
  void stop();  // after the group has ended
  bool connected() const { return link_->connected(); }
  boost::json::object reported() const { return reconciler_->reported(); }

 private:
  explicit DevicePart(Executor executor) : executor_(executor) {}
  Executor executor_;
  std::unique_ptr<http::Client> client_, serve_client_;
  std::unique_ptr<device::Identity> identity_;
  std::unique_ptr<oci::RegistryClient> registry_;
  std::unique_ptr<modules::HttpModelServer> models_;
  std::unique_ptr<modules::Reconciler> reconciler_;
  std::unique_ptr<device::TwinLink> link_;
};

}  // namespace holdfast
