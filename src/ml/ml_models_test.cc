#include "ml/ml_testing.h"

namespace holdfast::ml {
namespace {

struct MlModels : MlRig {
  std::string named(const std::string& filter) {
    const auto page = run_task(models->search({.filter = filter}));
    if (!page) return page.error().message();
    std::string out;
    for (const RegisteredModel& model : page->items) out += model.name + " ";
    return out;
  }
};

TEST_F(MlModels, IsNoPromptHoldsWithoutTheTag) {
  ASSERT_TRUE(run_task(models->create("plain", "", {{"team", "red"}})));
  ASSERT_TRUE(run_task(models->create("prompt", "", {{"mlflow.prompt.is_prompt", "true"}})));
  ASSERT_TRUE(run_task(models->create("model", "", {{"mlflow.prompt.is_prompt", "false"}})));
  EXPECT_EQ(named("tags.`mlflow.prompt.is_prompt` != 'true'"), "model plain ");
  EXPECT_EQ(named("tags.`mlflow.prompt.is_prompt` = 'false'"), "model plain ");
  EXPECT_EQ(named("tags.`mlflow.prompt.is_prompt` = 'true'"), "prompt ");
  EXPECT_EQ(named("name LIKE 'p%' AND tags.`mlflow.prompt.is_prompt` != 'true'"), "plain ");
  EXPECT_EQ(named("tags.team != 'blue'"), "plain ");
  ASSERT_TRUE(make_version("plain"));
  EXPECT_EQ(
      run_task(models->search_versions({.filter = "tags.`mlflow.prompt.is_prompt` != 'true'"}))
          ->items.size(),
      1u);
}

TEST_F(MlModels, NumbersGrowAndAreNotUsedAgain) {
  int told = 0;
  models->observe([&](const ModelVersion& version) { told += version.number > 0; });
  EXPECT_EQ(make_version("m")->number, 1);
  EXPECT_EQ(make_version("m")->number, 2);
  ASSERT_TRUE(run_task(models->remove_version("m", 2)));
  EXPECT_EQ(make_version("m")->number, 3);
  EXPECT_EQ(told, 3);
  EXPECT_EQ(run_task(models->version("m", 2)).error().code(), Code::not_found);
  EXPECT_EQ(run_task(models->create("m", "", {})).error().reason(), "exists");
}

TEST_F(MlModels, TheSameSourceKeyIsTheVersionThatItMade) {
  int told = 0;
  models->observe([&](const ModelVersion&) { ++told; });
  const auto first = make_version("m", "job/train-1/model");
  const auto again = make_version("m", "job/train-1/model");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->number, first->number);
  EXPECT_EQ(again->sequence, first->sequence);
  EXPECT_EQ(told, 1);
  EXPECT_EQ(make_version("other", "job/train-1/model").error().code(), Code::conflict);
  EXPECT_EQ(make_version("m", "job/train-2/model")->number, 2);
}

TEST_F(MlModels, AliasesNameOneVersion) {
  ASSERT_TRUE(make_version("m"));
  ASSERT_TRUE(make_version("m"));
  EXPECT_EQ(run_task(models->version_by_alias("m", "champion")).error().code(), Code::not_found);
  ASSERT_TRUE(run_task(models->set_alias("m", "champion", 1)));
  ASSERT_TRUE(run_task(models->set_alias("m", "champion", 2)));
  EXPECT_EQ(run_task(models->version_by_alias("m", "champion"))->number, 2);
  EXPECT_TRUE(run_task(models->version("m", 1))->aliases.empty());
  EXPECT_FALSE(run_task(models->set_alias("m", "champion", 9)));
  EXPECT_FALSE(run_task(models->set_alias("m", "v1", 1)));
  ASSERT_TRUE(run_task(models->rename("m", "n")));
  EXPECT_EQ(run_task(models->version_by_alias("n", "champion"))->number, 2);
  ASSERT_TRUE(run_task(models->remove_version("n", 2)));
  EXPECT_FALSE(run_task(models->version_by_alias("n", "champion")));
}

TEST_F(MlModels, StagesArchiveTheOthers) {
  ASSERT_TRUE(make_version("m"));
  ASSERT_TRUE(make_version("m"));
  ASSERT_TRUE(run_task(models->set_stage("m", 1, "production", false)));
  ASSERT_TRUE(run_task(models->set_stage("m", 2, "Production", true)));
  EXPECT_EQ(run_task(models->version("m", 1))->stage, "Archived");
  EXPECT_FALSE(run_task(models->set_stage("m", 2, "Best", false)));
  EXPECT_FALSE(run_task(models->set_stage("m", 2, "Archived", true)));
}

TEST_F(MlModels, TheVersionsAfterOneAreTheTruth) {
  ASSERT_TRUE(make_version("a"));
  ASSERT_TRUE(make_version("b"));
  const auto all = *run_task(models->versions_after(0, 10));
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(run_task(models->versions_after(all[0].sequence, 10))->at(0).model, "b");
  ASSERT_TRUE(run_task(models->remove("b")));
  EXPECT_GT(make_version("b")->sequence, all[1].sequence);
}

TEST_F(MlModels, TheHolderOfBytesIsKnown) {
  ASSERT_TRUE(make_version("m", "", "0/r/artifacts/model"));
  for (const char* path : {"0/r/artifacts/model", "0/r/artifacts/model/MLmodel",
                           "0/r/artifacts/model/a/b", "0/r", "0/r/artifacts"})
    EXPECT_EQ(*run_task(models->holder(path)), std::pair(std::string("m"), int64_t{1})) << path;
  for (const char* path : {"0/r/artifacts/model2", "0/r/artifacts/mode", "0/r/artifacts/other/x",
                           "0/r2", "1", "0/r/artifacts/model0"})
    EXPECT_FALSE(*run_task(models->holder(path))) << path;
}

TEST_F(MlModels, LoggedModelsKeepWhatWasMeasured) {
  make_run("r");
  NewLoggedModel wanted;
  wanted.name = "model";
  wanted.run = "r";
  wanted.params = {{"lr", "0.1"}};
  const auto made = *run_task(logged->create(wanted));
  EXPECT_EQ(made.status, LoggedStatus::pending);
  Batch batch;
  batch.metrics.push_back({.key = "acc", .value = 0.9, .time_ms = 1, .model = made.id});
  ASSERT_TRUE(log("r", batch));
  ASSERT_TRUE(run_task(logged->set_status(made.id, LoggedStatus::ready)));
  const auto search = [&](const std::string& filter) {
    const auto page = run_task(logged->search({0}, {.filter = filter}));
    return page ? page->items.size() : 99;
  };
  EXPECT_EQ(search("name = 'model' AND metrics.acc > 0.5 AND params.lr = '0.1'"), 1u);
  EXPECT_EQ(search("status = 'READY'"), 1u);
  EXPECT_EQ(search("status = 'LOGGED_MODEL_READY'"), 1u);
  EXPECT_EQ(search("status = 'PENDING'"), 0u);
  EXPECT_EQ(search("source_run_id = 'other'"), 0u);
  ASSERT_TRUE(run_task(logged->remove(made.id)));
  EXPECT_EQ(search(""), 0u);
  EXPECT_FALSE(run_task(logged->model(made.id)));
}

}  // namespace
}  // namespace holdfast::ml
