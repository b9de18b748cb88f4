#include "modules/reconciler.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>

#include "modules/memory_engine.h"
#include "net/testing.h"
#include "oci/layer.h"
#include "oci/model_image.h"

namespace holdfast::modules {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;
using namespace std::chrono_literals;

struct ReconcilerTest : testing::Test {
  fs::path folder = [] {
    char name[] = "/tmp/reconciler_test.XXXXXX";
    return fs::path(mkdtemp(name));
  }();
  FakeClock clock;
  Runtime runtime{1};
  BlockingPool pool{"files", 1};
  std::unique_ptr<store::Database> database = *store::open_sqlite({folder / "edge.db", 1});
  MemoryEngine containers{clock}, processes{clock, ModuleType::process};
  MemoryModelServer server;
  oci::MemoryRegistry registry;
  TaskGroup group;
  std::unique_ptr<Reconciler> reconciler;
  int changes = 0;

  void SetUp() override {
    runtime.start();
    open();
  }
  void TearDown() override {
    group.cancel();
    run_task(group.join());
    reconciler.reset();
    fs::remove_all(folder);
  }
  // A new life of the program on the same disk.
  void open() {
    ReconcilerParts parts{*database, pool, clock, folder / "fetch"};
    parts.containers = &containers;
    parts.processes = &processes;
    parts.models = &server;
    parts.registry = &registry;
    parts.environment = [](std::string name) -> Task<Result<Pairs>> {
      Pairs out{{"EdgeHubConnectionString", "for " + name}};
      co_return out;
    };
    parts.tick = std::chrono::hours(1);  // the tests tick by hand
    reconciler = *Reconciler::open(std::move(parts));
    reconciler->on_change([this] { ++changes; });
    reconciler->start(runtime.executor(0), group);
  }
  void desire(std::string_view text) {
    auto done = run_on(runtime, reconciler->set_desired(json::parse(text).as_object()));
    ASSERT_TRUE(done) << done.error().message();
    settle();
  }
  // Rounds until two of them in a row had nothing to do.
  void settle() {
    for (int round = 0; round < 4; ++round) {
      run_on(runtime, tick());
      run_on(runtime, reconciler->quiet());
    }
    run_on(runtime, tick());
  }
  Task<int> tick() {
    co_await reconciler->tick();
    co_return 0;
  }
  json::object module(const char* name) {
    return reconciler->reported().at("modules").at(name).as_object();
  }
  std::string status(const char* name) {
    return std::string(module(name).at("runtimeStatus").as_string());
  }
  // Pushes the image of a model, `profile` "": without one; returns the module's JSON.
  std::string push(const std::string& name, int version, const std::string& bytes,
                   const std::string& profile = "") {
    fs::create_directories(folder / "layers");
    std::vector<oci::TarEntry> entries;
    entries.push_back(
        oci::tar_file("models/" + name + "/" + std::to_string(version) + "/model.onnx", bytes));
    auto layer = oci::write_layer(std::move(entries), folder / "layers" / "one");
    EXPECT_TRUE(layer) << layer.error().message();
    registry.put_blob(*read_file(layer->file));
    oci::Manifest manifest;
    manifest.config = layer->descriptor;
    manifest.layers = {layer->descriptor};
    manifest.annotations[oci::label::kRun] = "run-" + std::to_string(version);
    manifest.layers[0].annotations[oci::label::kDigest] = "sha256:" + sha256_hex(as_bytes(bytes));
    if (!profile.empty()) {
      auto second = oci::write_layer(
          {oci::tar_file("models/" + name + "/" + std::to_string(version) + "/profile.json",
                         profile)},
          folder / "layers" / "two");
      registry.put_blob(*read_file(second->file));
      manifest.layers.push_back(second->descriptor);
      manifest.layers[1].annotations[oci::label::kProfile] =
          "sha256:" + sha256_hex(as_bytes(profile));
    }
    const oci::Digest image =
        registry.put_manifest("models/" + name, "", oci::write_manifest(manifest));
    return R"({"type":"model","version":")" + std::to_string(version) +
           R"(","settings":{"image":"models/)" + name + "@" + image.str() + R"(","digest":")" +
           layer->descriptor.digest.str() + R"("}})";
  }
  static std::string manifest(int version, const std::string& modules) {
    return R"({"$version":)" + std::to_string(version) + R"(,"schemaVersion":"1.1","modules":{)" +
           modules + "}}";
  }
  std::vector<Served> served() { return *run_on(runtime, server.list()); }
  int64_t current() {
    for (const Served& one : served())
      if (one.current) return one.version;
    return 0;
  }
};

const char* kDocker = R"("a":{"type":"docker","settings":{"image":"img"},
                          "env":{"X":{"value":"1"}}})";

TEST_F(ReconcilerTest, AContainerComesRunsAndGoes) {
  containers.add_image("img");
  desire(manifest(1, kDocker));
  EXPECT_EQ(status("a"), "running");
  EXPECT_EQ(containers.calls(), (std::vector<std::string>{"prepare a", "create a", "start a"}));
  EXPECT_EQ(containers.spec("a").env, (Pairs{{"X", "1"}, {"EdgeHubConnectionString", "for a"}}));
  EXPECT_EQ(reconciler->reported().at("lastDesiredVersion"), 1);
  EXPECT_EQ(reconciler->reported().at("lastDesiredStatus").at("code"), 200);
  desire(manifest(2, ""));
  EXPECT_FALSE(reconciler->reported().at("modules").as_object().contains("a"));
  EXPECT_EQ(run_on(runtime, containers.list())->size(), 0u);
  EXPECT_GT(changes, 2);
}

TEST_F(ReconcilerTest, WhatEndsIsStartedAgainAfterItsBackOff) {
  containers.add_image("img");
  desire(manifest(1, kDocker));
  clock.advance(1s);
  containers.end("a", 3);
  settle();
  EXPECT_EQ(status("a"), "backoff");
  EXPECT_EQ(module("a").at("exitCode"), 3);
  clock.advance(9s);
  settle();
  EXPECT_EQ(status("a"), "backoff");
  clock.advance(1s);
  settle();
  EXPECT_EQ(status("a"), "running");
  EXPECT_EQ(module("a").at("restartCount"), 1);
  clock.advance(1s);
  containers.end("a", 0);
  settle();
  clock.advance(19s);
  settle();
  EXPECT_EQ(status("a"), "backoff");
  clock.advance(1s);
  settle();
  EXPECT_EQ(module("a").at("restartCount"), 2);
  clock.advance(10min);
  settle();
  EXPECT_EQ(module("a").at("restartCount"), 0);
}

TEST_F(ReconcilerTest, AFailedPullLeavesTheOldOneRunning) {
  containers.add_image("img");
  desire(manifest(1, kDocker));
  desire(manifest(2, R"("a":{"type":"docker","settings":{"image":"new"}})"));
  EXPECT_EQ(status("a"), "backoff");
  EXPECT_EQ(module("a").at("statusDescription"), "there is no image new");
  ASSERT_EQ(run_on(runtime, containers.list())->size(), 1u);
  EXPECT_EQ(run_on(runtime, containers.list())->front().state, Running::running);
  EXPECT_EQ(containers.spec("a").image, "img");
  containers.add_image("new");
  reconciler->retry_now();
  settle();
  EXPECT_EQ(status("a"), "running");
  EXPECT_EQ(containers.spec("a").image, "new");
}

TEST_F(ReconcilerTest, AWrongDocumentChangesNothingButTheStatus) {
  containers.add_image("img");
  desire(manifest(1, kDocker));
  desire(manifest(2, R"("a":{"type":"vm"})"));
  EXPECT_EQ(status("a"), "running");
  EXPECT_EQ(reconciler->reported().at("lastDesiredVersion"), 2);
  EXPECT_EQ(reconciler->reported().at("lastDesiredStatus").at("code"), 400);
  desire(R"({"$version":3})");
  EXPECT_EQ(reconciler->reported().at("lastDesiredStatus").at("code"), 417);
  EXPECT_EQ(status("a"), "running");
}

TEST_F(ReconcilerTest, TheNextLifeKnowsWhatIsDesiredAndAdoptsWhatRuns) {
  containers.add_image("img");
  desire(manifest(5, kDocker));
  const size_t calls = containers.calls().size();
  group.cancel();
  run_task(group.join());
  TaskGroup next;
  reconciler.reset();
  ReconcilerParts parts{*database, pool, clock, folder / "fetch"};
  parts.containers = &containers;
  parts.tick = std::chrono::hours(1);
  reconciler = *Reconciler::open(std::move(parts));
  reconciler->start(runtime.executor(0), next);
  settle();
  EXPECT_EQ(status("a"), "running");
  EXPECT_EQ(reconciler->reported().at("lastDesiredVersion"), 5);
  EXPECT_EQ(containers.calls().size(), calls) << "nothing is restarted";
  next.cancel();
  run_task(next.join());
}

TEST_F(ReconcilerTest, WhatTheDeviceAddsMakesContainersAnew) {
  containers.add_image("img");
  desire(manifest(5, kDocker + std::string(R"(,"m":{"type":"model","version":"1","settings":
      {"image":"x","digest":"sha256:)") +
                         std::string(64, '0') + "\"}}"));
  EXPECT_EQ(reconciler->clients(), (std::set<std::string>{"a"})) << "a model speaks to no broker";
  const std::string before = containers.spec("a").fingerprint;
  group.cancel();
  run_task(group.join());
  TaskGroup next;
  reconciler.reset();
  ReconcilerParts parts{*database, pool, clock, folder / "fetch"};
  parts.containers = &containers;
  parts.surroundings = "another broker";
  parts.tick = std::chrono::hours(1);
  reconciler = *Reconciler::open(std::move(parts));
  EXPECT_EQ(reconciler->clients(), (std::set<std::string>{"a"})) << "known before the hub is";
  reconciler->start(runtime.executor(0), next);
  settle();
  EXPECT_EQ(status("a"), "running");
  EXPECT_NE(containers.spec("a").fingerprint, before);
  next.cancel();
  run_task(next.join());
}

TEST_F(ReconcilerTest, AnEngineThatIsAwayIsLeftAlone) {
  containers.add_image("img");
  desire(manifest(1, kDocker));
  for (int i = 0; i < 5; ++i) containers.fail_next("list", Error(Code::unavailable, "away"));
  settle();
  EXPECT_EQ(containers.calls().size(), 3u);
}

TEST_F(ReconcilerTest, AModelIsFetchedCheckedAndSwitched) {
  const std::string one = push("digits", 1, "onnx one"), two = push("digits", 2, "onnx two");
  desire(manifest(1, "\"digits\":" + one));
  EXPECT_EQ(status("digits"), "running") << json::serialize(module("digits"));
  EXPECT_EQ(current(), 1);
  EXPECT_EQ(module("digits").at("settings").at("imageHash").as_string(),
            "sha256:" + sha256_hex(as_bytes(std::string_view("onnx one"))));
  desire(manifest(2, "\"digits\":" + two));
  EXPECT_EQ(current(), 2);
  desire(manifest(3, "\"digits\":" + one));  // and back
  EXPECT_EQ(current(), 1);
  EXPECT_TRUE(fs::is_empty(folder / "fetch"));
  desire(manifest(4, ""));
  EXPECT_TRUE(served().empty());
}

TEST_F(ReconcilerTest, AModelBringsItsRunAndItsProfileAndServesWithoutAGoodOne) {
  desire(manifest(1, "\"digits\":" + push("digits", 1, "onnx one", "profile one")));
  EXPECT_EQ(status("digits"), "running") << json::serialize(module("digits"));
  EXPECT_EQ(server.profile("digits", 1), "profile one");
  EXPECT_EQ(server.run("digits", 1), "run-1");
  desire(manifest(2, "\"digits\":" + push("digits", 2, "onnx two", "of another model")));
  EXPECT_EQ(status("digits"), "running") << json::serialize(module("digits"));
  EXPECT_EQ(current(), 2);
  EXPECT_EQ(server.profile("digits", 2), "");
  desire(manifest(3, "\"digits\":" + push("digits", 3, "onnx three")));
  EXPECT_EQ(current(), 3);
  EXPECT_EQ(server.profile("digits", 3), "");
}

TEST_F(ReconcilerTest, ACanaryIsTriedBesideWhatServes) {
  const std::string one = push("digits", 1, "onnx one"), two = push("digits", 2, "onnx two");
  const auto canary = [&two](const char* share) {
    std::string text = two;
    return "\"digits\":" +
           text.insert(text.rfind("}}"), R"(,"canary":{"share":)" + std::string(share) + "}");
  };
  const auto said = [this] {
    return std::string(module("digits").at("statusDescription").as_string());
  };
  desire(manifest(1, "\"digits\":" + one));
  desire(manifest(2, canary("10")));
  EXPECT_EQ(current(), 1);
  EXPECT_EQ(json::serialize(server.canary("digits")), R"({"share":10})");
  EXPECT_EQ(status("digits"), "running");
  EXPECT_EQ(said(), "on trial beside version 1");
  desire(manifest(3, canary("50")));
  EXPECT_EQ(json::serialize(server.canary("digits")), R"({"share":50})");
  server.end_trial("digits", false);
  settle();
  clock.advance(std::chrono::hours(1));
  settle();
  EXPECT_EQ(current(), 1) << "nobody tries it again";
  EXPECT_EQ(status("digits"), "failed");
  EXPECT_EQ(said(), "refused: errors; version 1 serves");
}

TEST_F(ReconcilerTest, APromotedCanaryServes) {
  std::string two = push("digits", 2, "onnx two");
  two.insert(two.rfind("}}"), R"(,"canary":{"share":10})");
  desire(manifest(1, "\"digits\":" + push("digits", 1, "onnx one")));
  desire(manifest(2, "\"digits\":" + two));
  server.end_trial("digits", true);
  settle();
  EXPECT_EQ(current(), 2);
  EXPECT_TRUE(module("digits").at("statusDescription").as_string().starts_with("serving "));
  desire(manifest(3, ""));
  desire(manifest(4, "\"digits\":" + two));  // nothing to try it beside
  EXPECT_EQ(current(), 2);
  EXPECT_EQ(status("digits"), "running");
}

TEST_F(ReconcilerTest, ABadModelLeavesTheOldOneServing) {
  desire(manifest(1, "\"digits\":" + push("digits", 1, "onnx one")));
  const std::pair<std::string, const char*> table[] = {
      {push("digits", 2, "no model"), "not a model"},
      {push("other", 2, "onnx other"), "the layer holds version 2 of the model 'other'"},
      {R"({"type":"model","version":"2","settings":{"image":"models/digits:none","digest":"sha256:)" +
           std::string(64, 'a') + "\"}}",
       "none"}};
  int number = 2;
  for (const auto& [bad, message] : table) {
    desire(manifest(number++, "\"digits\":" + bad));
    EXPECT_EQ(status("digits"), "backoff");
    const std::string said(module("digits").at("statusDescription").as_string());
    EXPECT_NE(said.find(message), std::string::npos) << said;
    EXPECT_EQ(current(), 1);
  }
}

TEST_F(ReconcilerTest, AModelWaitsForTheServerAndTheRegistry) {
  const std::string one = push("digits", 1, "onnx one");
  server.set_away(true);
  desire(manifest(1, "\"digits\":" + one));
  EXPECT_EQ(status("digits"), "unknown");
  server.set_away(false);
  registry.fail_next(Error(Code::unavailable, "the hub is away"));
  settle();
  EXPECT_EQ(status("digits"), "backoff");
  clock.advance(20s);
  settle();
  EXPECT_EQ(status("digits"), "running");
  EXPECT_EQ(current(), 1);
}

TEST_F(ReconcilerTest, ThoseOfTheUserAreNotTouched) {
  const std::string path = folder / "own.onnx";
  ASSERT_TRUE(replace_file(path, as_bytes("onnx own")));
  http::FileRange file{std::make_shared<Fd>(*open_file(path, O_RDONLY)), 0, 8};
  ASSERT_TRUE(run_on(runtime, server.put("own", 1, file, {})));
  desire(manifest(1, ""));
  EXPECT_EQ(served().size(), 1u);
}

TEST_F(ReconcilerTest, WhatIsNotOfferedSaysSo) {
  group.cancel();
  run_task(group.join());
  TaskGroup next;
  reconciler.reset();
  ReconcilerParts parts{*database, pool, clock, folder / "fetch"};
  parts.tick = std::chrono::hours(1);
  reconciler = *Reconciler::open(std::move(parts));
  reconciler->start(runtime.executor(0), next);
  desire(manifest(1, kDocker + std::string(R"(,"p":{"type":"process","settings":
                                           {"command":["/bin/true"]}})")));
  EXPECT_EQ(status("a"), "backoff");
  EXPECT_NE(module("a").at("statusDescription").as_string().find("no container engine"),
            json::string::npos);
  EXPECT_NE(module("p").at("statusDescription").as_string().find("processes: true"),
            json::string::npos);
  next.cancel();
  run_task(next.join());
}

}  // namespace
}  // namespace holdfast::modules
