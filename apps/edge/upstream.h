// The broker's way to the hub: messages over $edgeHub's own link, each module's twin over a link of
// the module's.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "broker/broker.h"
#include "device/twin_link.h"

namespace holdfast {

// Any thread may call.
class HubUpstream final : public broker::Upstream {
 public:
  HubUpstream(Executor executor, const device::Identity& identity)
      : executor_(executor), identity_(identity) {}

  // Once, before the links start; both must outlive the links.
  void attach(device::Link& edge_hub, broker::Broker& broker);
  // Whose twins are wanted: links come and go.
  Task<void> set_modules(std::set<std::string> modules);
  Task<void> stop();  // all links but $edgeHub's

  bool connected() const override;
  Task<Result<void>> send(std::string module, device_wire::Properties properties,
                          std::string body) override;
  Task<Result<boost::json::object>> twin(std::string module) override;
  Task<Result<void>> patch_reported(std::string module, boost::json::object patch) override;

 private:
  std::shared_ptr<device::Link> make(const std::string& module);
  Result<std::shared_ptr<device::Link>> link_of(const std::string& module) const;
  Executor executor_;
  const device::Identity& identity_;
  device::Link* edge_hub_ = nullptr;
  broker::Broker* broker_ = nullptr;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<device::Link>> links_;  // by module
};

}  // namespace holdfast
