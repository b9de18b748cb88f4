// The loop in one process: new data → job → model version → image → comparison → device.
#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

#include <atomic>
#include <fstream>

#include "base/digest.h"
#include "iot/hub.h"
#include "net/task_group.h"
#include "store/objects/memory_objects.h"
#include "store/objects/testing.h"
#include "training/job_runs.h"
#include "training/trace.h"
#include "training/triggers.h"

namespace holdfast::training {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

// An image is what its model's bytes say; counts how often one was made.
struct FakeRegistry {
  std::atomic<int> published = 0, failures = 0;
  Task<Result<registry::PublishedImage>> publish(oci::ModelDescription description,
                                                 ByteSource& onnx) {
    CO_TRY(const std::string bytes, co_await read_all(onnx, 1 << 20));
    if (failures > 0) {
      --failures;
      co_return fail(Code::unavailable, "not now");
    }
    ++published;
    registry::PublishedImage out;
    out.repository = "models/" + description.name;
    out.onnx = oci::Digest::sha256(as_bytes(bytes));
    out.layer.digest = oci::Digest::sha256(as_bytes("layer of " + bytes));
    out.layer.size = bytes.size();
    out.manifest = oci::Digest::sha256(as_bytes("manifest of " + bytes));
    co_return out;
  }
};

constexpr std::string_view kRetrain = R"(name: retrain
trigger: {type: data, asset: digits, account: site1, container: ready, when: 'labels/*.csv'}
create_job: train.yaml
)";
constexpr std::string_view kTrain = R"(environment: {}
command: cat ${{inputs.d}}/labels/* > ${{outputs.model}}/model.onnx
inputs: {d: {type: uri_folder, path: 'azureml:digits:${{trigger.version}}'}}
outputs: {model: {type: custom_model, name: digits}}
)";
constexpr std::string_view kGate = R"(name: gate
trigger: {type: model, model: digits}
create_job: compare.yaml
gate: [{metric: unseen, min_gain: 0.01}]
deploy: [{device: press, module: digits}]
)";

struct Loop : testing::Test, store::ObjectRig {
  SystemClock clock;
  Runtime runtime{2};
  FakeRegistry registry;
  std::unique_ptr<blob::Blobs> blobs;
  std::unique_ptr<data::Assets> assets;
  std::unique_ptr<iot::Hub> iot;
  std::unique_ptr<ml::Tracking> tracking;
  std::unique_ptr<ml::Artifacts> artifacts;
  std::unique_ptr<ml::Models> models;
  std::unique_ptr<ModelBuilds> builds;
  std::unique_ptr<JobRuns> runs;
  std::unique_ptr<jobs::Jobs> jobs;
  std::unique_ptr<Triggers> triggers;
  std::unique_ptr<TaskGroup> group;

  void SetUp() override {
    database = *store::open_sqlite({":memory:"});
    objects = *store::open_memory_objects(*database);
    runtime.start();
    start();
    ASSERT_TRUE(run_task(blobs->create_container("site1", "ready", {})));
    iot::IdentityWishes edge;
    edge.edge = true;
    ASSERT_TRUE(run_task(iot->devices().create({"press", ""}, edge)));
  }
  void TearDown() override {
    stop();
    runtime.stop();
    runtime.wait();
  }
  void start() {
    blobs = *blob::Blobs::open(*database, *objects, clock);
    assets = *data::Assets::open(*database, *objects, clock);
    iot = *iot::Hub::open(*database, clock);
    tracking = *ml::Tracking::open(*database, clock);
    artifacts = *ml::Artifacts::open(*blobs);
    models = std::make_unique<ml::Models>(*database, clock);
    ModelBuilds::Publish publish = [this](oci::ModelDescription description, ByteSource& onnx) {
      return registry.publish(std::move(description), onnx);
    };
    builds = *ModelBuilds::open(*database, *models, *artifacts, publish, clock);
    JobRunsParts parts;
    parts.tracking = tracking.get();
    parts.models = models.get();
    parts.artifacts = artifacts.get();
    parts.builds = builds.get();
    parts.url = [] { return "http://127.0.0.1:1"; };
    parts.token = [](const std::string& run) { return "token-of-" + run; };
    runs = std::make_unique<JobRuns>(std::move(parts));
    jobs::Options options;
    options.directory = folder.path;
    options.hooks = runs->hooks();
    options.slots = 2;  // a comparison that waits for its test must not hold the next training
    jobs = *jobs::Jobs::open(std::move(options), *database, *assets, clock);
    triggers = *Triggers::open({database.get(), blobs.get(), assets.get(), jobs.get(),
                                tracking.get(), models.get(), builds.get(), &iot->twins(), &clock});
    blobs->observe([this](const blob::BlobKey& key) { triggers->blob_changed(key); });
    models->observe([this](const ml::ModelVersion&) {
      builds->wake();
      triggers->wake();
    });
    builds->on_built([this] { triggers->wake(); });
    ASSERT_TRUE(jobs->start(runtime));
    group = std::make_unique<TaskGroup>();
    group->spawn(runtime.next_executor(), "builds", builds->run());
    group->spawn(runtime.next_executor(), "triggers", triggers->run());
  }
  void stop() {
    jobs->stop();
    group->cancel();
    run_task(group->join());
    triggers.reset();
    jobs.reset();
    runs.reset();
    builds.reset();
    iot.reset();
  }
  void put(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(
        run_task(blobs->put_blob(blob::BlobKey("site1", "ready", name), stage(bytes), {}, {}, {})));
  }
  // The comparing job waits until the test has written what it measured.
  std::string compare_job() const {
    return "environment: {}\ncommand: while [ ! -e " + std::string(folder.path) +
           "/go ]; do sleep 0.02; done\n"
           "inputs: {new: {type: custom_model, path: 'azureml:digits:${{trigger.version}}'}, "
           "old: {type: custom_model, path: 'azureml:digits@champion'}}\n";
  }
  template <class Predicate>
  bool soon(Predicate predicate) {
    for (const auto until = std::chrono::steady_clock::now() + 30s;
         std::chrono::steady_clock::now() < until; std::this_thread::sleep_for(5ms))
      if (predicate()) return true;
    return false;
  }
  std::optional<Firing> newest(const std::string& trigger) {
    auto found = *run_task(triggers->firings(trigger, 1));
    if (found.empty()) return std::nullopt;
    return found.front();
  }
  bool reaches(const std::string& trigger, int64_t version, State state) {
    const bool there = soon([&] {
      const auto firing = newest(trigger);
      return firing && firing->version == version && firing->state == state;
    });
    if (!there && newest(trigger))
      ADD_FAILURE() << trigger << ":" << newest(trigger)->version << " is "
                    << to_string(newest(trigger)->state) << " " << newest(trigger)->error;
    return there;
  }
  void measured(int64_t version, double champion, double challenger) {
    ASSERT_TRUE(reaches("gate", version, State::evaluating));
    const std::string run = run_id(newest("gate")->job, 1);
    ASSERT_TRUE(soon([&] { return run_task(tracking->run(run)).has_value(); }));
    ml::Batch batch;
    for (const auto& [who, value] : {std::pair("champion", champion), {"challenger", challenger}}) {
      ml::Metric metric;
      metric.key = std::string(who) + "/unseen";
      metric.value = value;
      batch.metrics.push_back(std::move(metric));
    }
    ASSERT_TRUE(run_task(tracking->log(run, std::move(batch))));
    std::ofstream(std::string(folder.path) + "/go") << "1";
  }
  void next_comparison() { std::filesystem::remove(std::string(folder.path) + "/go"); }
  std::string desired_layer() {
    const auto twin = *run_task(iot->twins().get({"press", "$edgeAgent"}));
    const auto* modules = twin.desired.values.if_contains("modules");
    return modules == nullptr
               ? ""
               : std::string(modules->at("digits").at("settings").at("digest").as_string().c_str());
  }
  void report(const std::string& bytes) {
    const std::string layer = oci::Digest::sha256(as_bytes("layer of " + bytes)).str();
    json::value patch = {
        {"modules",
         {{"digits",
           {{"runtimeStatus", "running"},
            {"settings",
             {{"image",
               "models/digits@" + oci::Digest::sha256(as_bytes("manifest of " + bytes)).str()},
              {"digest", layer}}}}}}}};
    ASSERT_TRUE(run_task(iot->twins().patch_reported({"press", "$edgeAgent"}, patch.as_object())));
    triggers->wake();
  }
  void both_triggers() {
    const auto retrain = run_task(triggers->put(std::string(kRetrain), std::string(kTrain), ""));
    ASSERT_TRUE(retrain) << retrain.error().message();
    const auto gate = run_task(triggers->put(std::string(kGate), compare_job(), ""));
    ASSERT_TRUE(gate) << gate.error().message();
  }
};

TEST_F(Loop, NewDataBecomeAVersionThatIsComparedAndDeployed) {
  both_triggers();
  put("images/a.txt", "no trigger");
  put("labels/1.csv", "one");
  ASSERT_TRUE(reaches("retrain", 1, State::completed));
  ASSERT_TRUE(reaches("gate", 1, State::deploying));  // no champion yet: nothing to compare with
  const std::string first = oci::Digest::sha256(as_bytes("layer of one")).str();
  EXPECT_TRUE(soon([&] { return desired_layer() == first; }));
  report("one");
  ASSERT_TRUE(reaches("gate", 1, State::deployed));

  put("labels/2.csv", "two");
  ASSERT_TRUE(reaches("retrain", 2, State::completed));
  measured(2, 0.85, 0.95);
  ASSERT_TRUE(reaches("gate", 2, State::deploying));
  EXPECT_EQ(run_task(models->version_by_alias("digits", "champion"))->number, 2);
  report("onetwo");
  ASSERT_TRUE(reaches("gate", 2, State::deployed));
  const std::string deployed = oci::Digest::sha256(as_bytes("layer of onetwo")).str();
  EXPECT_EQ(desired_layer(), deployed);

  next_comparison();
  put("labels/3.csv", "worse");
  measured(3, 0.95, 0.6);
  ASSERT_TRUE(reaches("gate", 3, State::refused));
  EXPECT_EQ(newest("gate")->error, "unseen: 0.6 against 0.95: a gain of 0.01 is asked for");
  EXPECT_EQ(run_task(models->version_by_alias("digits", "champion"))->number, 2);
  EXPECT_EQ(desired_layer(), deployed);
  EXPECT_EQ(run_task(triggers->firings("", 100))->size(), 6u);
  EXPECT_EQ(registry.published, 3);
}

TEST_F(Loop, ADigestLeadsBackToTheData) {
  ASSERT_TRUE(run_task(triggers->put(std::string(kRetrain), std::string(kTrain), "")));
  put("labels/1.csv", "one");
  ASSERT_TRUE(reaches("retrain", 1, State::completed));
  const std::string digest = oci::Digest::sha256(as_bytes("one")).str();
  ASSERT_TRUE(soon([&] { return !run_task(builds->by_digest(digest))->empty(); }));
  const TraceParts parts{models.get(), tracking.get(), builds.get(), jobs.get(), assets.get()};
  const auto trace = run_task(trace_digest(parts, digest.substr(7)));
  ASSERT_TRUE(trace) << trace.error().message();
  EXPECT_EQ(trace->version.model, "digits");
  EXPECT_EQ(trace->version.number, 1);
  EXPECT_EQ(trace->image->onnx, digest);
  EXPECT_EQ(trace->run->id, run_id("retrain-1", 1));
  EXPECT_EQ(trace->run->status, ml::RunStatus::finished);
  EXPECT_EQ(trace->run->datasets.at(0).dataset.name, "digits");
  EXPECT_EQ(trace->job->name, "retrain-1");
  ASSERT_EQ(trace->data.size(), 1u);
  EXPECT_EQ(trace->data[0].version->files, 1u);
  EXPECT_EQ(run_task(trace_digest(parts, std::string(64, '0'))).error().reason(),
            "digest_not_found");
}

TEST_F(Loop, WhatIsOpenAtARestartGoesOnAndNothingFiresTwice) {
  both_triggers();
  put("labels/1.csv", "one");
  ASSERT_TRUE(reaches("gate", 1, State::deploying));
  report("one");
  ASSERT_TRUE(reaches("gate", 1, State::deployed));
  put("labels/2.csv", "two");
  ASSERT_TRUE(reaches("gate", 2, State::evaluating));
  stop();
  ASSERT_TRUE(run_task(
      blob::Blobs::open(*database, *objects, clock)
          .value()
          ->put_blob(blob::BlobKey("site1", "ready", "labels/3.csv"), stage("three"), {}, {}, {})));
  start();
  ASSERT_TRUE(reaches("retrain", 3, State::completed));  // put while no one looked
  EXPECT_EQ(run_task(triggers->firings("retrain", 100))->size(), 3u);
  EXPECT_EQ(run_task(models->versions("digits", 100))->size(), 3u);
  EXPECT_TRUE(soon([&] { return registry.published == 3; }));
}

TEST_F(Loop, WhatMayPassIsTriedAgainAndWhatMayNotFails) {
  registry.failures = 2;
  both_triggers();
  put("labels/1.csv", "one");
  ASSERT_TRUE(reaches("gate", 1, State::deploying));
  ASSERT_TRUE(
      run_task(triggers->put(std::string(kRetrain),
                             "environment: {}\ncommand: exit 3\ninputs: {d: {type: uri_folder, "
                             "path: 'azureml:digits:${{trigger.version}}'}}\n",
                             "")));
  put("labels/2.csv", "two");
  ASSERT_TRUE(reaches("retrain", 2, State::failed));
  EXPECT_NE(newest("retrain")->error.find("the command ended with 3"), std::string::npos);
}

TEST_F(Loop, TheEventThatAModelDriftsLearnsWhatIsThereByThen) {
  const std::string yaml =
      "name: retrain\ntrigger: {type: drift, model: digits, asset: digits, account: site1, "
      "container: ready, prefix: data/}\ncreate_job: train.yaml\n";
  ASSERT_TRUE(run_task(triggers->put(yaml, std::string(kTrain), "")));
  const std::string probe =
      "name: any\ntrigger: {type: data, asset: any, account: site1, container: ready, "
      "when: 'drift/*'}\ncreate_job: any.yaml\n";
  ASSERT_TRUE(run_task(triggers->put(probe, "environment: {}\ncommand: 'true'\n", "")));
  put("data/labels/1.csv", "one");
  put("drift/drift-digits-old-20261127T134900-0a1b2c3d.jsonl", "of another model");
  put("drift/drift-digits-20261127T134900.jsonl", "no event");
  ASSERT_TRUE(reaches("any", 1, State::completed));  // all triggers have looked by now
  EXPECT_TRUE(run_task(triggers->firings("retrain", 100))->empty());
  put("data/labels/2.csv", "two");
  put("drift/drift-digits-20261127T134901-0a1b2c3d.jsonl", "{}");
  ASSERT_TRUE(reaches("retrain", 1, State::completed));
  EXPECT_EQ(run_task(assets->find("digits", 1))->files, 2u) << "all that had come";
  // The same event again, as after a kill, with nothing new to learn from.
  put("drift/drift-digits-20261127T134901-0a1b2c3d.jsonl", "{}");
  put("data/labels/3.csv", "three");
  put("drift/drift-digits-20261128T000000-11111111.jsonl", "{}");
  ASSERT_TRUE(reaches("retrain", 2, State::completed));
  EXPECT_EQ(run_task(triggers->firings("retrain", 100))->size(), 2u);
}

TEST_F(Loop, AskedForItFiresAgain) {
  ASSERT_TRUE(run_task(triggers->put(std::string(kRetrain), std::string(kTrain), "")));
  EXPECT_FALSE(run_task(triggers->fire("retrain")));  // there are no data
  put("labels/1.csv", "one");
  ASSERT_TRUE(reaches("retrain", 1, State::completed));
  ASSERT_TRUE(run_task(triggers->fire("retrain")));
  ASSERT_TRUE(soon([&] { return run_task(models->versions("digits", 10))->size() == 2; }));
  EXPECT_EQ(run_task(triggers->fire("gone")).error().reason(), "trigger_not_found");
  ASSERT_TRUE(run_task(triggers->remove("retrain")));
  EXPECT_EQ(run_task(triggers->find("retrain")).error().code(), Code::not_found);
}

// A hub may be killed between two attempts, before the second has ended the first one's run.
TEST_F(Loop, AnAttemptEndsTheRunsOfAllBeforeIt) {
  const jobs::Hooks hooks = runs->hooks();
  jobs::Job job;
  job.name = "again";
  job.spec.experiment = "Default";
  for (const int64_t attempt : {1, 3}) {
    job.attempt = attempt;
    ASSERT_TRUE(run_task(hooks.begin(job)));
  }
  EXPECT_EQ(run_task(tracking->run(run_id("again", 1)))->status, ml::RunStatus::killed);
  EXPECT_EQ(run_task(tracking->run(run_id("again", 3)))->status, ml::RunStatus::running);
}

}  // namespace
}  // namespace holdfast::training
