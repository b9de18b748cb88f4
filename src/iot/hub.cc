#include "iot/hub.h"

#include "base/log.h"
#include "iot/http/service.h"

namespace holdfast::iot {
namespace {

constexpr auto kFlushEvery = std::chrono::seconds(5);
constexpr int kSweepEach = 12;  // flushes

}  // namespace

Hub::Hub(store::Database& database, const Clock& clock, Retention retention,
         std::unique_ptr<Devices> devices)
    : clock_(clock),
      devices_(std::move(devices)),
      twins_(database, *devices_, clock),
      telemetry_(database, clock, retention),
      subscriptions_(database),
      gateway_(*devices_, twins_, telemetry_, subscriptions_, clock) {}

Result<std::unique_ptr<Hub>> Hub::open(store::Database& database, const Clock& clock,
                                       Retention retention) {
  TRY(auto devices, Devices::open(database, clock));
  return std::unique_ptr<Hub>(new Hub(database, clock, retention, std::move(devices)));
}

Task<void> Hub::run() {
  for (int round = 1; co_await sleep_for(kFlushEvery); ++round) {
    if (auto done = co_await devices_->flush(); !done)
      log::warning("iot", "presence was not written", {{"error", done.error().message()}});
    if (round % kSweepEach != 0) continue;
    if (auto swept = co_await telemetry_.sweep(); !swept)
      log::warning("iot", "old telemetry was not dropped", {{"error", swept.error().message()}});
  }
}

void Hub::mount(http::Router& router, http::Authenticator authenticator) {
  auto service = std::make_shared<Service>(*devices_, twins_, telemetry_, gateway_, clock_,
                                           std::move(authenticator));
  mount_registry(router, service);
  mount_twins(router, service);
  mount_telemetry(router, service);
}

}  // namespace holdfast::iot
