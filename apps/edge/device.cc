#include "device.h"

#include <sys/utsname.h>

#include "base/files.h"
#include "version.h"

namespace holdfast {
namespace {

modules::Host this_host() {
  utsname name{};
  ::uname(&name);
  return {kVersion, name.machine, name.release};
}

}  // namespace

Result<std::unique_ptr<DevicePart>> DevicePart::open(const EdgeConfig& config,
                                                     store::Database& database, BlockingPool& pool,
                                                     const Clock& clock, Executor executor,
                                                     const std::string& serve) {
  if (config.hub.http.empty()) return nullptr;
  std::unique_ptr<DevicePart> part(new DevicePart(executor));
  device::Hub hub;
  hub.http = config.hub.http;
  hub.mqtt_host = hub.name = config.hub.mqtt_host;
  hub.mqtt_port = config.hub.mqtt_port;
  TRY(hub.tls, TlsContext::client(config.hub.ca));
  http::ClientOptions options;
  options.tls = hub.tls;
  part->client_ = std::make_unique<http::Client>(options);
  part->serve_client_ = std::make_unique<http::Client>();
  TRY(part->identity_,
      device::Identity::open(std::move(hub), config.device, config.hub.key, *part->client_, clock));
  oci::RegistryClientOptions registry;
  registry.url = config.hub.http;
  registry.tls = part->identity_->hub().tls;
  registry.authorization = [identity = part->identity_.get()] { return identity->signature(); };
  part->registry_ = oci::open_registry_client(std::move(registry), pool);
  part->models_ = std::make_unique<modules::HttpModelServer>(*part->serve_client_, serve);
  const std::string layers = config.data + "/layers";
  TRY_VOID(make_directories(layers, 0700));
  modules::ReconcilerParts parts{database, pool, clock, layers};
  parts.models = part->models_.get();
  parts.registry = part->registry_.get();
  parts.host = this_host();
  TRY(part->reconciler_, modules::Reconciler::open(std::move(parts)));
  // The hub is back, or wants something else: what failed is tried again at once.
  const auto desired =
      [reconciler = part->reconciler_.get()](boost::json::object whole) -> Task<Result<void>> {
    reconciler->retry_now();
    co_return co_await reconciler->set_desired(std::move(whole));
  };
  part->link_ =
      std::make_unique<device::TwinLink>(executor, *part->identity_, "$edgeAgent", desired);
  part->reconciler_->on_change([reconciler = part->reconciler_.get(), link = part->link_.get()] {
    link->report(reconciler->reported());
  });
  return part;
}

void DevicePart::start(TaskGroup& group) {
  reconciler_->start(executor_, group);
  link_->start(group);
}

void DevicePart::stop() {
  run_task(link_->stop());
}

}  // namespace holdfast
