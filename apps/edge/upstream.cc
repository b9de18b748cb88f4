#include "upstream.h"

namespace holdfast {

namespace json = boost::json;

void HubUpstream::attach(device::Link& edge_hub, broker::Broker& broker) {
  edge_hub_ = &edge_hub;
  broker_ = &broker;
}

std::shared_ptr<device::Link> HubUpstream::make(const std::string& module) {
  device::Link::Calls calls;
  calls.state = [broker = broker_, module](bool connected, const Error*) {
    if (connected) broker->module_linked(module);
  };
  calls.desired = [broker = broker_, module](json::object patch) {
    broker->desired_changed(module, std::move(patch));
  };
  auto link = std::make_shared<device::Link>(executor_, identity_, module, std::move(calls));
  link->start();
  return link;
}

Task<void> HubUpstream::set_modules(std::set<std::string> modules) {
  std::vector<std::shared_ptr<device::Link>> gone;
  {
    const std::lock_guard lock(mutex_);
    for (auto each = links_.begin(); each != links_.end();) {
      if (modules.contains(each->first)) {
        ++each;
        continue;
      }
      gone.push_back(std::move(each->second));
      each = links_.erase(each);
    }
    for (const std::string& module : modules)
      if (!links_.contains(module)) links_[module] = make(module);
  }
  for (const auto& link : gone) co_await link->stop();
}

Task<void> HubUpstream::stop() {
  std::set<std::string> none;
  co_await set_modules(std::move(none));
}

bool HubUpstream::connected() const {
  return edge_hub_->connected();
}

Result<std::shared_ptr<device::Link>> HubUpstream::link_of(const std::string& module) const {
  const std::lock_guard lock(mutex_);
  const auto found = links_.find(module);
  if (found == links_.end()) return fail(Code::not_found, "there is no module '" + module + "'");
  if (!found->second->connected())
    return fail(Code::unavailable, "the hub is away, or does not know the module '" + module + "'");
  return found->second;
}

Task<Result<void>> HubUpstream::send(std::string module, device_wire::Properties properties,
                                     std::string body) {
  co_return co_await edge_hub_->send(std::move(module), std::move(properties), std::move(body));
}

Task<Result<json::object>> HubUpstream::twin(std::string module) {
  CO_TRY(const auto link, link_of(module));
  co_return co_await link->twin();
}

Task<Result<void>> HubUpstream::patch_reported(std::string module, json::object patch) {
  CO_TRY(const auto link, link_of(module));
  co_return co_await link->patch_reported(std::move(patch));
}

}  // namespace holdfast
