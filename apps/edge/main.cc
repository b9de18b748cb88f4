// The edge: reads its configuration, builds its parts, wires them, runs until it is told to stop.
#include <malloc.h>

#include <cstdio>

#include "answers/http/api.h"
#include "api.h"
#include "base/files.h"
#include "base/log.h"
#include "device.h"
#include "net/http/server.h"
#include "net/run_file.h"
#include "shares/shares.h"
#include "uplink/uplink.h"
#include "version.h"

namespace holdfast {
namespace {

using Targets = std::vector<std::unique_ptr<uplink::BlobTarget>>;

// The cloud shares, each with the account that it uploads to; `targets` owns the accounts' clients.
Result<std::vector<uplink::UplinkShare>> cloud_shares(const EdgeConfig& config,
                                                      http::Client& client, const Clock& clock,
                                                      Targets& targets) {
  std::vector<uplink::UplinkShare> out;
  for (const StorageAccount& account : config.accounts) {
    const blob_client::Endpoint endpoint{account.endpoint, account.name, account.key, ""};
    TRY(auto blobs, blob_client::BlobClient::open(client, clock, endpoint));
    targets.push_back(std::make_unique<uplink::BlobClientTarget>(std::move(blobs)));
    for (const shares::ShareConfig& share : config.shares)
      if (share.account == account.name) out.push_back({share, targets.back().get()});
  }
  return out;
}

Result<void> run(const EdgeConfig& config) {
  const SystemClock clock;
  TRY_VOID(claim_data_directory(config.data, "edge", 1));
  for (const char* folder : {"/db", "/journal/uplink"})
    TRY_VOID(make_directories(config.data + folder, 0700));
  Runtime runtime(2);
  TRY(const auto database, store::open_sqlite({config.data + "/db/edge.db", 1}));
  TRY_VOID(answers::migrate_batches(*database));
  TRY(const auto events, shares::FileEvents::open(*database));
  TRY(const auto journal, store::open_file_journal({config.data + "/journal/uplink"}));
  BlockingPool pool("files", 2);
  http::Client client, blob_http;
  Targets targets;
  TRY(auto cloud, cloud_shares(config, blob_http, clock, targets));
  TRY(const auto uplink, uplink::Uplink::open(std::move(cloud), *events, *journal, pool, clock));
  TRY(const auto shares, shares::Shares::open(config.shares, *events, clock));
  TRY(const auto serve, Serve::start(config));
  answers::Flows flows;
  for (const answers::FlowConfig& flow : config.flows) {
    const answers::ModelServer server{"http://" + serve->address(), serve->local()};
    flows.push_back(
        std::make_unique<answers::Flow>(flow, *events, *database, client, server, pool, clock));
    TRY_VOID(events->register_consumer(flow.share.name, flows.back()->consumer()));
  }

  TRY(const auto device, DevicePart::open({config, *database, *events, pool, clock, runtime,
                                           "http://" + serve->address()}));
  http::Router router;
  const EdgeView view{config.device, kVersion, clock.now(), serve.get()};
  mount_edge(router, view);
  shares::mount(router, *shares);
  uplink::mount(router, *uplink);
  answers::mount(router, flows, *events, *database);
  http::ServerOptions options{.name = "edge", .address = config.http, .max_body_bytes = 1 << 20};
  TRY(const auto server, http::Server::start(runtime, options, router));
  if (device) device->summarise([&router, &view] { return edge_summary(router, view); });
  if (const auto opened = device ? device->start() : Result<void>(); !opened) {
    run_task(server->stop(std::chrono::seconds(0)));
    return opened;
  }
  TaskGroup group;
  for (const auto& flow : flows) flow->start(runtime.executor(0), group);
  uplink->start(runtime, group);
  shares->start(runtime, group);
  const std::string mqtt = device ? device->mqtt() : "";
  const RunFile running(config.data + "/run.json",
                        {{"http", server->address()}, {"serve", serve->address()}, {"mqtt", mqtt}});
  log::info("edge", "ready",
            {{"http", server->address()}, {"serve", serve->address()}, {"data", config.data}});
  runtime.wait();
  log::info("edge", "stopping");
  run_task(server->stop(std::chrono::seconds(5)));
  group.cancel();
  run_task(group.join());
  if (device) device->stop();
  serve->stop();
  return {};
}

}  // namespace
}  // namespace holdfast

int main(int argc, char** argv) {
  mallopt(M_ARENA_MAX, 2);
  const auto config = holdfast::read_edge_config(argc, argv);
  if (!config) {
    std::fprintf(stderr, "holdfast edge: %s\n", config.error().message().c_str());
    return 2;
  }
  if (config->check_only) {
    std::puts("ok");
    return 0;
  }
  if (const auto done = holdfast::run(*config); !done) {
    std::fprintf(stderr, "holdfast edge: %s\n", done.error().message().c_str());
    return 1;
  }
  return 0;
}
