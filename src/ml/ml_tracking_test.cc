#include <cmath>

#include "ml/ml_testing.h"
#include "store/database/failing_database.h"

namespace holdfast::ml {
namespace {

struct MlTracking : MlRig {
  std::string found(const std::string& filter, std::vector<std::string> order_by = {},
                    View view = View::active) {
    const auto page = run_task(tracking->search_runs(
        {0}, {.filter = filter, .order_by = std::move(order_by), .view = view}));
    if (!page) return page.error().message();
    std::string out;
    for (const ml::Run& run : page->items) out += run.id + " ";
    return out;
  }
};

TEST_F(MlTracking, TheDefaultExperimentIsThere) {
  EXPECT_EQ(run_task(tracking->experiment(0))->name, "Default");
  const auto again = Tracking::open(*database, clock);
  ASSERT_TRUE(again);
  EXPECT_EQ(run_task((*again)->search_experiments({}))->items.size(), 1u);
}

TEST_F(MlTracking, ExperimentsAreNamedOnce) {
  const auto made = run_task(tracking->create_experiment("e", {{"k", "v"}}));
  ASSERT_TRUE(made);
  EXPECT_EQ(run_task(tracking->create_experiment("e", {})).error().reason(), "exists");
  EXPECT_EQ(run_task(tracking->ensure_experiment("e"))->id, made->id);
  ASSERT_TRUE(run_task(tracking->set_experiment_deleted(made->id, true)));
  EXPECT_EQ(run_task(tracking->ensure_experiment("e")).error().code(), Code::conflict);
  EXPECT_EQ(run_task(tracking->create_experiment("e", {})).error().reason(), "exists");
  ASSERT_TRUE(run_task(tracking->set_experiment_deleted(made->id, false)));
  EXPECT_EQ(run_task(tracking->experiment_named("e"))->tags.size(), 1u);
}

TEST_F(MlTracking, TheSameRunAgainIsTheRunThatIsThere) {
  const ml::Run first = make_run("job-1", 0, {{"a", "1"}});
  ASSERT_TRUE(log("job-1", "m", 1));
  const ml::Run again = make_run("job-1", 0, {{"a", "2"}});
  EXPECT_EQ(again.name, first.name);
  EXPECT_EQ(again.started_ms, first.started_ms);
  EXPECT_EQ(again.metrics.size(), 1u);
  EXPECT_EQ(again.tags.front(), (std::pair<std::string, std::string>("a", "1")));
  const auto other = run_task(tracking->create_experiment("other", {}));
  EXPECT_EQ(
      run_task(tracking->create_run({.id = "job-1", .experiment = other->id})).error().reason(),
      "exists");
}

TEST_F(MlTracking, TheLatestIsByStepThenTimeThenValue) {
  make_run("r");
  for (const auto& [value, step, time] :
       {std::tuple(5.0, 2, 10), {9.0, 1, 99}, {6.0, 2, 11}, {4.0, 2, 11}, {6.0, 2, 11}})
    ASSERT_TRUE(log("r", "m", value, step, time));
  ASSERT_TRUE(log("r", "nan", std::nan("")));
  ASSERT_TRUE(log("r", "inf", -INFINITY));
  const auto run = *run_task(tracking->run("r"));
  ASSERT_EQ(run.metrics.size(), 3u);
  for (const Metric& metric : run.metrics) {
    if (metric.key == "m") EXPECT_EQ(metric.value, 6.0);
    if (metric.key == "nan") EXPECT_TRUE(std::isnan(metric.value));
    if (metric.key == "inf") EXPECT_EQ(metric.value, std::numeric_limits<double>::lowest());
  }
  // The point that came twice is there once.
  const auto history = *run_task(tracking->history("r", "m", 100, ""));
  ASSERT_EQ(history.items.size(), 4u);
  EXPECT_EQ(history.items.front().value, 9.0);
  EXPECT_TRUE(run_task(tracking->history("r", "none", 100, ""))->items.empty());
}

TEST_F(MlTracking, HistoryComesInPages) {
  make_run("r");
  Batch batch;
  for (int i = 0; i < 25; ++i)
    batch.metrics.push_back({.key = "m", .value = i * 1.0, .time_ms = 1, .step = i});
  ASSERT_TRUE(log("r", batch));
  std::vector<double> seen;
  std::string token;
  do {
    const auto page = *run_task(tracking->history("r", "m", 10, token));
    for (const Metric& point : page.items) seen.push_back(point.value);
    token = page.next;
  } while (!token.empty());
  ASSERT_EQ(seen.size(), 25u);
  EXPECT_EQ(seen.back(), 24.0);
  EXPECT_FALSE(run_task(tracking->history("r", "m", 10, "not a token")));
  const auto few = *run_task(tracking->sampled("r", "m", 0, 100, 5));
  ASSERT_EQ(few.size(), 5u);
  EXPECT_EQ(few.front().step, 0);
  EXPECT_EQ(few.back().step, 24);
}

TEST_F(MlTracking, AParameterStaysAndABatchIsAllOrNothing) {
  make_run("r");
  Batch first;
  first.params = {{"lr", "0.1"}};
  ASSERT_TRUE(log("r", first));
  ASSERT_TRUE(log("r", first));
  Batch second;
  second.params = {{"new", "1"}, {"lr", "0.2"}};
  second.tags = {{"t", "1"}};
  second.metrics.push_back({.key = "m", .value = 1});
  EXPECT_EQ(log("r", second).error().code(), Code::invalid_argument);
  const auto run = *run_task(tracking->run("r"));
  EXPECT_EQ(run.params.size(), 1u);
  EXPECT_TRUE(run.metrics.empty());
  store::FailingDatabase failing(*database);
  const auto other = *Tracking::open(failing, clock);
  failing.fail_next(Error(Code::unavailable, "the disk is full"));
  Batch third;
  third.tags = {{"t", "1"}};
  EXPECT_EQ(run_task(other->log("r", third)).error().code(), Code::unavailable);
  EXPECT_EQ(run_task(tracking->run("r"))->tags.size(), 1u);  // its name
}

TEST_F(MlTracking, RunsAreFoundByWhatTheyHave) {
  make_run("a", 0, {{"team", "red"}});
  make_run("b", 0, {{"team", "blue"}, {"only", "b"}});
  make_run("c");
  ASSERT_TRUE(log("a", "m", 0.5));
  ASSERT_TRUE(log("b", "m", 0.9));
  ASSERT_TRUE(log("c", "m", std::nan("")));
  Batch params;
  params.params = {{"lr", "0.1"}};
  ASSERT_TRUE(log("b", params));
  ASSERT_TRUE(run_task(tracking->end_run("a", RunStatus::finished)));
  const std::pair<const char*, const char*> rows[] = {
      {"", "c b a "},
      {"metrics.m > 0.6", "b "},
      {"metrics.m != 0.5", "b "},
      {"tags.team = 'red'", "a "},
      {"tags.team != 'red'", "b "},  // as MLflow has it: only of those with the tag
      {"tags.team LIKE 'r%'", "a "},
      {"tags.team LIKE 'R%'", ""},
      {"tags.team ILIKE 'R%'", "a "},
      {"tags.only IS NULL", "c a "},
      {"params.lr IS NOT NULL", "b "},
      {"params.lr = '0.1' AND metrics.m > 0.5", "b "},
      {"attributes.run_id IN ('a', 'c')", "c a "},
      {"run_id NOT IN ('a', 'c')", "b "},
      {"status = 'FINISHED'", "a "},
      {"status != 'FINISHED'", "c b "},
      {"status = 'NONSENSE'", ""},
      {"artifact_uri = 'mlflow-artifacts:/0/a/artifacts'", "a "},
      {"tags.team = ''' OR 1=1 --'", ""},
  };
  for (const auto& [filter, wanted] : rows) {
    if (std::string_view(filter).contains("OR 1=1")) {
      EXPECT_EQ(found(filter).find(" a "), std::string::npos);
      continue;
    }
    EXPECT_EQ(found(filter), wanted) << filter;
  }
  EXPECT_EQ(found("", {"metrics.m ASC"}), "a b c ");   // NaN last
  EXPECT_EQ(found("", {"metrics.m DESC"}), "b a c ");  // in both directions
  EXPECT_EQ(found("", {"tags.team DESC"}), "a b c ");
  EXPECT_EQ(found("", {"end_time ASC"}), "a c b ");
  ASSERT_TRUE(run_task(tracking->set_run_deleted("b", true)));
  EXPECT_EQ(found(""), "c a ");
  EXPECT_EQ(found("", {}, View::deleted), "b ");
  EXPECT_EQ(log("b", "m", 1).error().code(), Code::invalid_argument);
}

TEST_F(MlTracking, RunsComeInPages) {
  for (int i = 0; i < 7; ++i) make_run("r" + std::to_string(i));
  std::string seen, token;
  do {
    const auto page = *run_task(tracking->search_runs({0}, {.limit = 3, .page_token = token}));
    for (const ml::Run& run : page.items) seen += run.id;
    token = page.next;
  } while (!token.empty());
  EXPECT_EQ(seen, "r6r5r4r3r2r1r0");
  EXPECT_TRUE(run_task(tracking->search_runs({}, {}))->items.empty());
}

TEST_F(MlTracking, ADeletedExperimentTakesItsRunsAlong) {
  const auto made = *run_task(tracking->create_experiment("e", {}));
  make_run("kept", made.id);
  make_run("gone", made.id);
  ASSERT_TRUE(run_task(tracking->set_run_deleted("gone", true)));
  ASSERT_TRUE(run_task(tracking->set_experiment_deleted(made.id, true)));
  EXPECT_TRUE(run_task(tracking->run("kept"))->deleted);
  EXPECT_FALSE(run_task(tracking->create_run({.id = "new", .experiment = made.id})));
  ASSERT_TRUE(run_task(tracking->set_experiment_deleted(made.id, false)));
  EXPECT_FALSE(run_task(tracking->run("kept"))->deleted);
  EXPECT_TRUE(run_task(tracking->run("gone"))->deleted);
}

TEST_F(MlTracking, DatasetsAreKeptAndFound) {
  make_run("r");
  make_run("s");
  DatasetInput input;
  input.dataset = {"digits", "abc", "http", "x", "", ""};
  input.tags = {{"mlflow.data.context", "train"}};
  ASSERT_TRUE(run_task(tracking->log_inputs("r", {input, input}, {"m-1"})));
  const auto run = *run_task(tracking->run("r"));
  ASSERT_EQ(run.datasets.size(), 1u);
  EXPECT_EQ(run.datasets.front().tags, input.tags);
  EXPECT_EQ(run.model_inputs, std::vector<std::string>{"m-1"});
  EXPECT_EQ(found("datasets.name = 'digits' AND dataset.context = 'train'"), "r ");
  EXPECT_EQ(found("datasets.context = 'eval'"), "");
}

}  // namespace
}  // namespace holdfast::ml
