#include "device.h"

#include <sys/utsname.h>

#include "base/files.h"
#include "version.h"

namespace holdfast {
namespace {

namespace json = boost::json;

constexpr auto kSummaryEvery = std::chrono::seconds(5);

modules::Host this_host() {
  utsname name{};
  ::uname(&name);
  return {kVersion, name.machine, name.release};
}

}  // namespace

Result<std::unique_ptr<DevicePart>> DevicePart::open(Parts parts) {
  const EdgeConfig& config = parts.config;
  if (config.hub.http.empty()) return nullptr;
  std::unique_ptr<DevicePart> part(new DevicePart(std::move(parts)));
  device::Hub hub;
  hub.http = config.hub.http;
  hub.mqtt_host = hub.name = config.hub.mqtt_host;
  hub.mqtt_port = config.hub.mqtt_port;
  TRY(hub.tls, TlsContext::client(config.hub.ca));
  http::ClientOptions options;
  options.tls = hub.tls;
  part->client_ = std::make_unique<http::Client>(options);
  part->serve_client_ = std::make_unique<http::Client>();
  TRY(part->hosts_, ModuleHosts::open(config, hub.name, part->parts_.pool, part->parts_.clock));
  TRY(part->identity_, device::Identity::open(std::move(hub), config.device, config.hub.key,
                                              *part->client_, part->parts_.clock));
  TRY_VOID(part->open_reconciler());
  TRY_VOID(part->open_broker());
  part->open_links();
  return part;
}

Result<void> DevicePart::open_reconciler() {
  const EdgeConfig& config = parts_.config;
  oci::RegistryClientOptions registry;
  registry.url = config.hub.http;
  registry.tls = identity_->hub().tls;
  registry.authorization = [identity = identity_.get()] { return identity->signature(); };
  registry_ = oci::open_registry_client(std::move(registry), parts_.pool);
  models_ = std::make_unique<modules::HttpModelServer>(*serve_client_, parts_.serve);
  const std::string layers = config.data + "/layers";
  TRY_VOID(make_directories(layers, 0700));
  modules::ReconcilerParts parts{parts_.database, parts_.pool, parts_.clock, layers};
  parts.models = models_.get();
  parts.registry = registry_.get();
  parts.host = this_host();
  hosts_->give(parts);
  TRY(reconciler_, modules::Reconciler::open(std::move(parts)));
  return {};
}

Result<void> DevicePart::open_broker() {
  upstream_ = std::make_unique<HubUpstream>(executor_, *identity_);
  TRY(auto tls, hosts_->tls());
  const auto keys = [hosts = hosts_.get(), reconciler = reconciler_.get()](
                        const std::string& module) -> std::vector<std::string> {
    if (!reconciler->clients().contains(module)) return {};
    return {hosts->key(module)};
  };
  TRY(broker_, BrokerPart::open({parts_.config, parts_.database, parts_.events, parts_.clock,
                                 *upstream_, std::move(tls), keys}));
  return {};
}

void DevicePart::open_links() {
  const auto wanted_of_agent = [this](json::object whole) {
    return take_desired(std::move(whole));
  };
  agent_ = std::make_unique<device::TwinLink>(executor_, *identity_, "$edgeAgent", wanted_of_agent);
  reconciler_->on_change([this] { report(); });
  broker::Broker& broker = broker_->broker();
  const auto wanted_of_hub = [&broker](json::object whole) {
    return broker.set_desired(std::move(whole));
  };
  hub_ = std::make_unique<device::TwinLink>(executor_, *identity_, "$edgeHub", wanted_of_hub);
  hub_->on_state([&broker] { broker.upstream_changed(); });
  broker.on_change([&broker, hub = hub_.get()] { hub->report(broker.reported()); });
  upstream_->attach(hub_->link(), broker);
}

Task<Result<void>> DevicePart::take_desired(json::object whole) {
  // The hub is back, or wants something else: what failed is tried again at once.
  reconciler_->retry_now();
  auto taken = co_await reconciler_->set_desired(std::move(whole));
  if (taken) co_await level_clients();
  co_return taken;
}

Task<void> DevicePart::level_clients() {
  // Asked each time anew: a deployment may come between.
  std::set<std::string> served = reconciler_->clients();
  co_await broker_->broker().set_modules(std::move(served));
  std::set<std::string> linked = reconciler_->clients();
  co_await upstream_->set_modules(std::move(linked));
}

void DevicePart::report() {
  json::object all = reconciler_->reported();
  {
    const std::lock_guard lock(mutex_);
    if (!summarised_.empty()) all["holdfast"] = summarised_;
  }
  agent_->report(std::move(all));
}

Task<void> DevicePart::report_summary() {
  do {
    auto now = co_await summary_();
    if (!now) continue;
    {
      const std::lock_guard lock(mutex_);
      if (summarised_ == *now) continue;
      summarised_ = std::move(*now);
    }
    report();
  } while (co_await sleep_for(kSummaryEvery));
}

Result<void> DevicePart::start() {
  if (auto opened = broker_->start(parts_.runtime, executor_, group_); !opened) {
    group_.cancel();
    parts_.runtime.start();  // what was begun can only end on it
    run_task(group_.join());
    return opened;
  }
  reconciler_->start(executor_, group_);
  agent_->start(group_);
  hub_->start(group_);
  group_.spawn(executor_, "clients", level_clients());
  if (summary_) group_.spawn(executor_, "summary", report_summary());
  return {};
}

void DevicePart::stop() {
  broker_->stop();
  group_.cancel();
  run_task(group_.join());
  run_task(upstream_->stop());
  run_task(hub_->stop());
  run_task(agent_->stop());
}

}  // namespace holdfast
