// The inference server: reads its configuration, loads its models, serves until it is told to stop.
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "access.h"
#include "automatic.h"
#include "base/files.h"
#include "base/log.h"
#include "config.h"
#include "engines.h"
#include "inference/grpc/service.h"
#include "inference/http/service.h"
#include "inference/local/door.h"
#include "inference/measure/tuned_engine.h"
#include "measure.h"
#include "net/http/server.h"
#include "net/run_file.h"
#include "try_load.h"
#include "version.h"

namespace holdfast {
namespace {

Result<void> run(const ServeConfig& config) {
  TRY_VOID(claim_data_directory(config.data, "serve", 1));
  const SystemClock clock;
  TRY(const auto access, Access::open(config, clock));
  Runtime runtime;
  const auto offered = offer_engines(config.engine, config.threads);
  const inference::TuningStore tunings(config.data + "/tuning");
  inference::TunedEngine engine(*offered, tunings);
  const inference::SchedulerOptions scheduling{
      .lanes = config.lanes > 0 ? config.lanes : runtime.size(),
      .queue = config.queue,
      .merge = config.merge};
  inference::Care care = config.care;
  if (config.sandbox)
    care.try_first = [&config](const std::string& path) { return try_load(config, path); };
  TRY(auto repository, inference::Repository::open(config.models, engine, scheduling,
                                                   {config.memory, config.pinned}, care));
  std::unique_ptr<inference::Capture> capture;
  if (!config.capture.directory.empty()) {
    TRY(capture, inference::Capture::open(config.capture, clock));
    repository->observers.push_back(capture.get());
  }
  std::unique_ptr<inference::DriftMonitor> drift;
  if (config.drift.share > 0) {
    TRY(drift, inference::DriftMonitor::open(config.drift, clock));
    repository->observers.push_back(drift.get());
  }
  std::unique_ptr<inference::Tracer> tracer;
  if (!config.traces.endpoint.empty()) {
    TRY(tracer, inference::Tracer::open(config.traces, clock));
  }
  inference::ServeOptions options;
  options.tracer = tracer.get();
  options.version = kVersion;
  options.platform = engine.platform();
  options.uploads = config.uploads;
  options.drift = drift.get();
  if (access->asks()) options.admin = http::Role::admin;
  http::Router router(inference::oip_error, access->authenticator());
  inference::mount(router, *repository, options);
  http::ServerOptions server_options{.name = "serve",
                                     .address = config.http,
                                     .tls = access->tls(),
                                     .max_body_bytes = options.max_model,
                                     .max_connections = http::connections_of_each(1)};
  TRY(auto server, http::Server::start(runtime, server_options, router));
  std::unique_ptr<inference::GrpcServer> grpc;
  std::unique_ptr<inference::LocalDoor> local;
  const auto stop = [&](std::chrono::seconds grace) {
    runtime.start();  // what is stopped runs on it, also where it has not begun
    if (local) local->stop();
    if (grpc) grpc->stop(grace);
    run_task(server->stop(grace));
  };
  if (!config.grpc.empty()) {
    inference::GrpcOptions grpc_options{.address = config.grpc,
                                        .version = options.version,
                                        .uploads = options.uploads,
                                        .max_model = options.max_model,
                                        .tracer = tracer.get()};
    if (access->certificates()) {
      grpc_options.certificates = [&of = *access->certificates()] { return of.current(); };
    }
    if (access->asks()) {
      grpc_options.caller = [&access = *access](std::string_view authorization) {
        return access.caller(authorization);
      };
    }
    auto started = inference::GrpcServer::start(runtime, *repository, std::move(grpc_options));
    if (!started) {
      stop(std::chrono::seconds(0));
      return std::unexpected(std::move(started).error());
    }
    grpc = std::move(*started);
  }
  if (!config.local.empty()) {
    auto started = inference::LocalDoor::start(
        runtime, *repository,
        {.path = config.local, .users = config.local_users, .tracer = tracer.get()});
    if (!started) {
      stop(std::chrono::seconds(0));
      return std::unexpected(std::move(started).error());
    }
    local = std::move(*started);
  }
  const std::string grpc_address = grpc ? grpc->address() : "";
  const RunFile running(config.data + "/run.json",
                        {{"http", server->address()},
                         {"scheme", config.tls ? "https" : "http"},
                         {"grpc", grpc_address},
                         {"local", config.local},
                         {"models", std::filesystem::absolute(config.models).string()}});
  log::info("serve", "ready",
            {{"http", server->address()}, {"grpc", grpc_address}, {"models", config.models}});
  std::optional<AutomaticTuning> automatic(std::in_place, config, *repository, tunings);
  runtime.wait();
  log::info("serve", "stopping");
  automatic.reset();
  stop(std::chrono::seconds(10));
  return {};
}

}  // namespace
}  // namespace holdfast

int main(int argc, char** argv) {
  mallopt(M_ARENA_MAX, 2);
  // ONNX Runtime would keep a database of events in the home directory and send them to its makers.
  ::setenv("ORT_DISABLE_TELEMETRY", "1", 1);  // NOLINT(concurrency-mt-unsafe): no thread yet
  if (argc > 1 && argv[1] == std::string("measure")) return holdfast::measure(argc - 1, argv + 1);
  auto config = holdfast::read_serve_config(argc, argv);
  if (!config) {
    std::fprintf(stderr, "holdfast serve: %s\n", config.error().message().c_str());
    return 2;
  }
  if (config->check_only) {
    std::puts("ok");
    return 0;
  }
  if (auto done = holdfast::run(*config); !done) {
    std::fprintf(stderr, "holdfast serve: %s\n", done.error().message().c_str());
    return 1;
  }
  return 0;
}
