// The hub: reads its configuration, builds its parts, wires them, runs until it is told to stop.
#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "base/cores.h"
#include "base/files.h"
#include "base/log.h"
#include "blob/http/service.h"
#include "blob/pending_copies.h"
#include "blob/tiers.h"
#include "care.h"
#include "config.h"
#include "console/console.h"
#include "data/http/api.h"
#include "doors.h"
#include "events.h"
#include "identity/http/identity.h"
#include "images.h"
#include "iot.h"
#include "lifecycle.h"
#include "net/run_file.h"
#include "net/task_group.h"
#include "sections.h"
#include "store/database/sync_failure.h"
#include "training.h"
#include "version.h"

namespace holdfast {
namespace {

constexpr auto kSweepEvery = std::chrono::minutes(1);
constexpr auto kTokenLife = std::chrono::hours(24 * 365);

constexpr int kSyncFailed = 74;  // EX_IOERR; docs/reliability.md

// Before anybody is answered: what the commit wrote may be there after a restart or not, and from
// then on is one or the other.
void stop_at_once(const std::string& path) {
  log::error("hub", "a commit could not be synced to disk; stopping at once", {{"database", path}});
  std::_Exit(kSyncFailed);
}

Result<void> first_token(const HubConfig& config, const identity::TokenIssuer& issuer,
                         const Clock& clock) {
  const std::string path = config.data + "/token";
  if (auto there = read_file(path, 8192); there && issuer.verify(trim(*there))) return {};
  return replace_file(
      path, as_bytes(issuer.issue({"first-admin", "admin", clock.now() + kTokenLife})), 0600);
}

// The registry lets go of contents; the blobs' sweep frees them with its own.
Task<void> sweep(registry::Registry& images, blob::Blobs& blobs) {
  while (co_await sleep_for(kSweepEvery)) {
    if (auto swept = co_await images.sweep(); !swept)
      log::warning("registry", "sweeping failed", {{"error", swept.error().message()}});
    if (auto swept = co_await blobs.sweep(); !swept)
      log::warning("blob", "sweeping failed", {{"error", swept.error().message()}});
  }
}

Task<Result<bool>> has_containers(blob::Blobs& blobs, std::string account) {
  CO_TRY(const auto page, co_await blobs.list_containers(std::move(account), {.limit = 1}));
  co_return !page.items.empty();
}

Result<void> run(const HubConfig& config) {
  const SystemClock clock;
  store::on_sync_failure(stop_at_once);
  TRY_VOID(claim_data_directory(config.data, "hub", 1));
  for (const char* folder : {"/db", "/content", "/pki"})
    TRY_VOID(make_directories(config.data + folder, 0700));
  Runtime runtime;
  TRY(auto identity_db, store::open_sqlite({config.data + "/db/identity.db", 1}));
  TRY(auto storage_db, store::open_sqlite({config.data + "/db/storage.db"}));
  TRY(auto accounts, identity::Accounts::open(*identity_db, clock));
  if (config.emulator_account) TRY_VOID(accounts->offer_emulator());
  TRY(auto applications, identity::Applications::open(*identity_db, clock));
  TRY(auto issuer,
      identity::TokenIssuer::open(config.data + "/pki/issuer.key", config.domain, clock));
  TRY_VOID(first_token(config, *issuer, clock));
  TRY(auto delegation,
      identity::DelegationKeys::open(*identity_db, *applications, issuer->tenant(), clock));
  store::FileObjectsOptions contents;
  contents.directory = config.data + "/content";
  contents.reserve = config.storage_reserve;
  TRY(auto objects, store::open_file_objects(contents, *storage_db));
  store::ContentCare care(contents.directory, *storage_db, clock, config.scrub_rate);
  TRY(auto blobs, blob::Blobs::open(*storage_db, *objects, clock));
  blobs->set_settings([&known = config.storage_accounts](std::string_view account) {
    const auto own = known.find(std::string(account));
    return own != known.end() ? own->second : known.at(std::string());
  });

  blob::Lifecycle lifecycle(
      *blobs,
      [&config](std::string_view account) -> const blob::LifecycleRules& {
        return lifecycle_rules(config, account);
      },
      config.lifecycle_rate);

  TRY(const auto assets, data::Assets::open(*storage_db, *objects, clock));

  blob::Sources sources(config.copy_sources, config.copy_limits);
  blob::PendingCopies copies(*blobs, sources);
  blob::Tiers tiers(*blobs);
  http::Router blob_router = blob::make_router();
  console::HubView view;
  view.version = kVersion;
  view.started = clock.now();
  view.has_containers = [&blobs](std::string account) {
    return has_containers(*blobs, std::move(account));
  };
  std::unique_ptr<IotPart> iot;
  http::Router api(http::json_error, IotPart::authenticator(*issuer, iot));
  console::mount(api, *accounts, view);
  identity::mount_applications(api, *applications, *delegation, *issuer);
  identity::mount_oauth(api, *applications, *issuer, clock);
  data::mount(api, *assets);
  mount_care(api, care, *storage_db);
  mount_lifecycle(api, lifecycle, config);
  TRY(iot, IotPart::open(config, clock, *issuer, api));
  TRY(const Images images, open_images(config, *storage_db, *objects, clock, api));
  TRY(const auto training, TrainingPart::open(config,
                                              {issuer.get(), assets.get(), blobs.get(), &iot->hub(),
                                               images.models.get(), &clock},
                                              api));
  const auto sections =
      status_sections({iot->hub(), *assets, training->jobs(), training->models(),
                       training->triggers(), *images.registry, *blobs, *accounts});
  console::mount_overview(api, view, sections, clock);
  TRY(const auto events, EventsPart::open(config, *storage_db, *blobs, clock));
  TRY(auto tls, door_tls(config, clock));

  TRY(auto doors, Doors::open(runtime, config, tls, api));
  const std::string authority = !config.endpoint.empty() ? config.endpoint
                                : doors.https().empty()  ? ""
                                                         : "https://" + doors.https();
  blob::mount(blob_router, *blobs, *accounts, clock,
              {.tokens = {issuer.get(), applications.get(), delegation.get(), authority},
               .development = config.storage_development,
               .sources = &sources,
               .copies = &copies,
               .endpoint = config.storage_endpoint});
  if (auto opened = doors.open_blob(runtime, config, tls, blob_router); !opened) {
    doors.stop();
    return opened;
  }
  view.blob_url = "http://" + doors.blob();
  const std::string& outside = config.storage_endpoint.url();
  view.blob_endpoint = outside.empty() ? view.blob_url : outside;
  if (auto started = iot->start(runtime, tls); !started) {
    iot->stop();
    doors.stop();
    return started;
  }
  if (auto started = training->start(runtime, "http://" + doors.http()); !started) {
    training->stop();
    iot->stop();
    doors.stop();
    return started;
  }
  events->start(runtime, view.blob_endpoint);
  TaskGroup group;
  group.spawn(runtime.next_executor(), "sweep", sweep(*images.registry, *blobs));
  group.spawn(runtime.next_executor(), "scrub", care.scrub());
  for (unsigned slot = 0; slot < copies.slots(); ++slot)
    group.spawn(runtime.next_executor(), "copies", copies.work(slot));
  group.spawn(runtime.next_executor(), "tiers", tiers.run());
  if (config.lifecycle_every.count() > 0)
    group.spawn(runtime.next_executor(), "lifecycle", lifecycle.run(config.lifecycle_every));
  const std::string http = doors.http(), https = doors.https(), mqtt = iot->address();
  const RunFile running(config.data + "/run.json", {{"http", http},
                                                    {"blob", doors.blob()},
                                                    {"blob-https", doors.blob_https()},
                                                    {"https", https},
                                                    {"mqtt", mqtt}});
  log::info("hub", "ready", {{"http", http}, {"mqtt", mqtt}, {"data", config.data}});
  runtime.wait();
  log::info("hub", "stopping");
  iot->stop();
  doors.stop();
  training->stop();
  events->stop();
  group.cancel();
  run_task(group.join());
  return {};
}

}  // namespace
}  // namespace holdfast

int main(int argc, char** argv) {
  // Few heaps, which give back what they held; but each network thread is to find one free.
  mallopt(M_ARENA_MAX, static_cast<int>(std::min(holdfast::usable_cores(), 16u)) + 2);
  auto config = holdfast::read_hub_config(argc, argv);
  if (!config) {
    std::fprintf(stderr, "holdfast hub: %s\n", config.error().message().c_str());
    return 2;
  }
  if (config->check_only) {
    std::puts("ok");
    return 0;
  }
  if (auto done = holdfast::run(*config); !done) {
    std::fprintf(stderr, "holdfast hub: %s\n", done.error().message().c_str());
    return 1;
  }
  return 0;
}
