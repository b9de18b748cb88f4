#include "broker.h"

#include "base/log.h"
#include "version.h"

namespace holdfast {
namespace {

constexpr uint16_t kSdkPort = 8883;

}  // namespace

Result<std::unique_ptr<BrokerPart>> BrokerPart::open(Parts parts) {
  std::unique_ptr<BrokerPart> part(new BrokerPart(std::move(parts)));
  Parts& of = part->parts_;
  broker::BrokerParts wanted{of.database, of.clock, of.upstream, of.config.device, of.keys};
  wanted.version = kVersion;
  TRY(part->broker_, broker::Broker::open(std::move(wanted)));
  std::vector<shares::ShareName> names;
  names.reserve(of.config.shares.size());
  for (const shares::ShareConfig& share : of.config.shares) names.push_back(share.name);
  TRY(part->files_, broker::FileSource::open(std::move(names), of.events, *part->broker_));
  return part;
}

Result<void> BrokerPart::start(Runtime& runtime, Executor executor, TaskGroup& group) {
  broker_->start(executor, group);
  files_->start(executor, group);
  mqtt::ServerOptions options;
  options.name = "broker";
  options.address = parts_.config.mqtt;
  options.tls = parts_.tls;
  TRY(server_, mqtt::Server::start(runtime, std::move(options), *broker_, parts_.clock));
  if (server_->port() != kSdkPort)
    log::warning("broker",
                 "device SDKs can not be told a port; they look for modules' broker at 8883",
                 {{"mqtt", server_->address()}});
  return {};
}

void BrokerPart::stop() {
  if (server_) run_task(server_->stop(std::chrono::seconds(5)));
}

}  // namespace holdfast
