#include "jobs/jobs.h"

#include <gtest/gtest.h>

#include <fstream>
#include <future>

#include "base/files.h"
#include "blob/blobs.h"
#include "oci/tar.h"
#include "store/objects/memory_objects.h"
#include "store/objects/testing.h"

namespace holdfast::jobs {
namespace {

// Hooks that count, and fail where they are told to.
struct FakeHooks {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> begun, ended;
  int failures = 0;
  Hooks make() {
    Hooks hooks;
    hooks.resolve_model = [](Input input) -> Task<Result<Lineage>> {
      if (input.data->alias != "champion") co_return fail(Code::not_found, "no such alias");
      co_return Lineage{input.name, input.data->asset, 7, "sha256:00", true};
    };
    hooks.fetch_model = [](Lineage model, std::string to) -> Task<Result<void>> {
      std::ofstream(to + "/model.txt") << model.asset << " " << model.version;
      co_return Result<void>();
    };
    hooks.begin = [this](Job job) { return begin(std::move(job)); };
    hooks.finish = [this](Job job, Status status, std::string) {
      return finish(std::move(job), status);
    };
    return hooks;
  }
  Task<Result<Pairs>> begin(Job job) {
    const std::lock_guard lock(mutex);
    begun.push_back(job.name + "/" + std::to_string(job.attempt));
    changed.notify_all();
    Pairs out{{"RUN_ID", "run-" + job.name}};
    co_return out;
  }
  Task<Result<void>> finish(Job job, Status status) {
    const std::lock_guard lock(mutex);
    if (failures > 0) {
      --failures;
      co_return fail(Code::unavailable, "not now");
    }
    ended.push_back(job.name + " " + std::string(to_string(status)));
    co_return Result<void>();
  }
};

struct JobsTest : testing::Test, store::ObjectRig {
  SystemClock clock;
  std::unique_ptr<blob::Blobs> blobs;
  std::unique_ptr<data::Assets> assets;
  FakeHooks hooks;
  Runtime runtime{2};
  std::unique_ptr<Jobs> jobs;

  void SetUp() override {
    database = *store::open_sqlite({":memory:"});
    objects = *store::open_memory_objects(*database);
    blobs = *blob::Blobs::open(*database, *objects, clock);
    assets = *data::Assets::open(*database, *objects, clock);
    runtime.start();
    life();
  }
  void TearDown() override {
    jobs.reset();
    runtime.stop();
    runtime.wait();
  }
  void life() {
    jobs.reset();
    Options options;
    options.directory = folder.path;
    options.hooks = hooks.make();
    jobs = *Jobs::open(std::move(options), *database, *assets, clock);
    ASSERT_TRUE(jobs->start(runtime));
  }
  Result<Job> submit(const std::string& name, const std::string& command,
                     const std::string& more = "", const std::string& code = "") {
    return run_task(
        jobs->create(name, "environment: {}\ncommand: >-\n  " + command + "\n" + more, code));
  }
  Task<Job> over(std::string name) {
    while (true) {
      Job job = *co_await jobs->find(name);
      if (is_final(job.status)) co_return job;
      (void)co_await sleep_for(std::chrono::milliseconds(5));
    }
  }
  Job wait(const std::string& name) { return run_task(over(name)); }
  std::string log(const std::string& name) {
    return holdfast::read_file(jobs->log_path(name)).value_or("no log");
  }
};

TEST_F(JobsTest, AJobReadsItsDataAndLeavesItsOutputs) {
  ASSERT_TRUE(run_task(blobs->create_container("site1", "ready", {})));
  ASSERT_TRUE(run_task(
      blobs->put_blob(blob::BlobKey("site1", "ready", "d/a.txt"), stage("hello"), {}, {}, {})));
  ASSERT_TRUE(run_task(assets->create("digits", data::Source{"site1", "ready", "d/"})));
  std::string tar;
  ASSERT_TRUE(oci::write_tar({oci::tar_file("s.sh", "cat $1/a.txt > $2/copy; echo $SEED $RUN_ID")},
                             [&tar](ByteView bytes) -> Result<void> {
                               tar += as_text(bytes);
                               return {};
                             }));
  const std::string code = *run_task(jobs->put_code(tar));
  EXPECT_EQ(*run_task(jobs->put_code(tar)), code);
  ASSERT_TRUE(submit("one", "sh s.sh ${{inputs.d}} ${{outputs.o}}; echo ${{inputs.n}}",
                     "inputs: {d: {path: 'azureml:digits@latest'}, n: 42}\noutputs: {o: {}}\n"
                     "environment_variables: {SEED: 7}\n",
                     code));
  const Job job = wait("one");
  EXPECT_EQ(job.status, Status::completed) << job.error << log("one");
  EXPECT_EQ(log("one"), "7 run-one\n42\n");
  EXPECT_EQ(*holdfast::read_file(jobs->outputs_path(job) + "/o/copy"), "hello");
  ASSERT_EQ(job.lineage.size(), 1u);
  EXPECT_EQ(job.lineage[0].version, 1);
  EXPECT_EQ(hooks.ended, std::vector<std::string>{"one Completed"});
}

TEST_F(JobsTest, AModelIsAnInput) {
  const std::string input = "inputs: {m: {type: custom_model, path: 'azureml:digits@";
  ASSERT_TRUE(submit("one", "cat ${{inputs.m}}/model.txt", input + "champion'}}\n"));
  const Job job = wait("one");
  EXPECT_EQ(log("one"), "digits 7") << job.error;
  ASSERT_EQ(job.lineage.size(), 1u);
  EXPECT_TRUE(job.lineage[0].model);
  ASSERT_TRUE(submit("two", "cat ${{inputs.m}}/model.txt", input + "other'}}\n"));
  EXPECT_EQ(wait("two").error, "no such alias");
}

TEST_F(JobsTest, TheSameSpecificationIsTheSameJob) {
  ASSERT_TRUE(submit("one", "echo a"));
  wait("one");
  EXPECT_TRUE(submit("one", "echo a"));
  EXPECT_EQ(submit("one", "echo b").error().reason(), "job_exists");
  EXPECT_EQ(log("one"), "a\n");
  EXPECT_EQ(submit("two", "x", "", std::string(64, 'a')).error().reason(), "code_not_found");
  EXPECT_EQ(run_task(jobs->find("gone")).error().code(), Code::not_found);
  EXPECT_EQ(run_task(jobs->cancel("one")).error().reason(), "job_finished");
}

TEST_F(JobsTest, AFailingCommandFailsWithItsCode) {
  ASSERT_TRUE(submit("one", "exit 7"));
  const Job job = wait("one");
  EXPECT_EQ(job.status, Status::failed);
  EXPECT_EQ(job.exit_code, 7);
  ASSERT_TRUE(submit("two", "true", "inputs: {d: {path: 'azureml:gone:1'}}\n"));
  EXPECT_EQ(wait("two").status, Status::failed);
}

TEST_F(JobsTest, AJobIsCompletedOnlyWhenFinishSucceeded) {
  hooks.failures = 2;
  ASSERT_TRUE(submit("one", "echo once"));
  EXPECT_EQ(wait("one").status, Status::completed);
  EXPECT_EQ(hooks.ended.size(), 1u);
  EXPECT_EQ(log("one"), "once\n");
}

TEST_F(JobsTest, ACanceledJobEndsAndTheNextRuns) {
  ASSERT_TRUE(submit("one", "sleep 1000 & sleep 1000"));
  ASSERT_TRUE(submit("two", "sleep 1000"));
  {
    std::unique_lock lock(hooks.mutex);
    hooks.changed.wait(lock, [this] { return !hooks.begun.empty(); });
  }
  ASSERT_TRUE(run_task(jobs->cancel("two")));
  EXPECT_EQ(wait("two").status, Status::canceled);
  ASSERT_TRUE(run_task(jobs->cancel("one")));
  EXPECT_EQ(wait("one").status, Status::canceled);
  ASSERT_TRUE(submit("three", "echo on"));
  EXPECT_EQ(wait("three").status, Status::completed);
}

TEST_F(JobsTest, WhatAStoppedHubLeftRunsAgainAsTheNextAttempt) {
  const std::string gate = std::string(folder.path) + "/gate";
  ASSERT_TRUE(submit("one", "test -e " + gate + " && echo done || sleep 1000"));
  {
    std::unique_lock lock(hooks.mutex);
    hooks.changed.wait(lock, [this] { return !hooks.begun.empty(); });
  }
  ASSERT_TRUE(replace_file(gate, as_bytes("")));
  life();
  const Job job = wait("one");
  EXPECT_EQ(job.status, Status::completed);
  EXPECT_LE(job.attempt, 2);
  EXPECT_EQ(log("one"), "done\n");
  EXPECT_EQ(hooks.ended, std::vector<std::string>{"one Completed"});
}

}  // namespace
}  // namespace holdfast::jobs
