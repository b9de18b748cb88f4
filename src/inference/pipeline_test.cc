#include "inference/pipeline.h"

#include <algorithm>
#include <atomic>
#include <set>

#include "inference/run.h"
#include "inference/testing.h"

namespace holdfast::inference {
namespace {

constexpr const char* kTwoSteps = R"(# twice and thrice
pipeline:
  inputs: [raw]
  steps:
    - {model: twice, inputs: {x: raw}, outputs: {y: middle}}
    - {model: thrice, inputs: {x: middle}, outputs: {y: out}}
  outputs: [out]
)";

std::string with_steps(const std::string& steps, const std::string& inputs = "raw",
                       const std::string& outputs = "out") {
  return "pipeline:\n  inputs: [" + inputs + "]\n  outputs: [" + outputs + "]\n  steps:\n" + steps;
}

class PipelineTest : public RepositoryTest {
 protected:
  void put_models() {
    ASSERT_TRUE(put(1, fake_model(2), "twice"));
    ASSERT_TRUE(put(1, fake_model(3), "thrice"));
  }
  std::string refusal(const std::string& yaml, Code code = Code::invalid_argument) {
    const auto made = put(1, yaml, "p");
    if (made) return "none";
    EXPECT_EQ(made.error().code(), code) << made.error().message();
    return made.error().message();
  }
  Result<Outputs> ask(const std::vector<float>& values, const std::string& name = "p",
                      const std::vector<std::string>& outputs = {}) {
    TensorView view;
    view.name = "raw";
    view.shape = {static_cast<int64_t>(values.size() / 2), 2};
    view.data = std::as_bytes(std::span(values));
    const Inputs inputs = {view};
    TRY(const LoadedPtr loaded, repository_->find(name));
    return run_task(run_model(*repository_, *loaded, inputs, outputs, options_));
  }
  float first(const std::string& name = "p") {  // number of the answer to ones
    const auto answer = ask({1, 1}, name);
    EXPECT_TRUE(answer) << answer.error().message();
    return answer ? floats(answer->at(0))[0] : 0;
  }
  static std::vector<float> floats(const Tensor& tensor) {
    std::vector<float> out(tensor.data.size() / sizeof(float));
    std::memcpy(out.data(), tensor.data.data(), tensor.data.size());
    return out;
  }
  uint64_t successes(const std::string& name) {
    return (*repository_->find(name))->statistics.read().successes;
  }
  bool ready() {
    const auto find = [this](const std::string& model) { return repository_->find(model); };
    return (*repository_->find("p"))->pipeline->ready(find).has_value();
  }
  RunOptions options_;
};

TEST_F(PipelineTest, RunsItsStepsAndCountsThem) {
  put_models();
  const auto made = put(1, kTwoSteps, "p");
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ((*made)->model->platform(), "ensemble");
  EXPECT_EQ((*made)->accepts.inputs, (std::vector<TensorInfo>{{"raw", Datatype::fp32, {-1, 2}}}));
  EXPECT_EQ((*made)->accepts.outputs, (std::vector<TensorInfo>{{"out", Datatype::fp32, {-1, 2}}}));
  EXPECT_FALSE(may_be_quick(**made));
  EXPECT_EQ(successes("twice"), 0);  // the warm-up is no request
  const auto answer = ask({1, 2, 3, 4});
  ASSERT_TRUE(answer) << answer.error().message();
  ASSERT_EQ(answer->size(), 1);
  EXPECT_EQ(answer->at(0).name, "out");
  EXPECT_EQ(answer->at(0).shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(floats(answer->at(0)), (std::vector<float>{6, 12, 18, 24}));
  for (const char* name : {"p", "twice", "thrice"}) EXPECT_EQ(successes(name), 1) << name;
  EXPECT_EQ((*made)->statistics.read().executions, 1);
}

TEST_F(PipelineTest, TensorsArePassedWhereTheyLie) {
  put_models();
  ASSERT_TRUE(put(1, kTwoSteps, "p"));
  std::vector<const std::byte*> seen;
  engine_.on_run = [&seen](const Inputs& inputs) -> Result<void> {
    seen.push_back(inputs[0].data.data());
    return {};
  };
  const std::vector<float> values = {1, 2};
  ASSERT_TRUE(ask(values));
  ASSERT_EQ(seen.size(), 2);
  EXPECT_EQ(seen[0], std::as_bytes(std::span(values)).data());
  engine_.on_run = nullptr;

  // What one step made is what the next is given and the caller gets: the same bytes.
  const LoadedPtr loaded = *repository_->find("p");
  TensorView view;
  view.name = "raw";
  view.shape = {1, 2};
  view.data = std::as_bytes(std::span(values));
  const Inputs inputs = {view};
  auto run = PipelineRun::begin(*loaded->pipeline, inputs, {});
  ASSERT_TRUE(run);
  std::set<const std::byte*> made;
  for (size_t step = 0; step < 2; ++step) {
    const auto given = run->inputs_of(step);
    ASSERT_TRUE(given);
    EXPECT_EQ(made.contains(given->at(0).data.data()), step == 1);
    auto answer = (*repository_->find(loaded->pipeline->model(step)))->model->run(*given, {});
    ASSERT_TRUE(answer);
    made.insert(answer->at(0).data.data());
    ASSERT_TRUE(run->made(step, std::move(*answer)));
  }
  EXPECT_TRUE(made.contains(run->finish().at(0).data.data()));
}

TEST_F(PipelineTest, OneTensorMayGoToSeveralAndTheAnswerTells) {
  put_models();
  ASSERT_TRUE(put(1,
                  with_steps("    - {model: twice, inputs: {x: raw}, outputs: {y: a}}\n"
                             "    - {model: thrice, inputs: {x: a}, outputs: {y: b}}\n"
                             "    - {model: thrice, inputs: {x: raw}, outputs: {y: c}}\n"
                             "    - {model: twice, inputs: {x: a}, outputs: {y: d}}\n",
                             "raw", "a, b, c"),
                  "p"));
  const auto answer = ask({1, 1}, "p", {"b", "a", "b"});
  ASSERT_TRUE(answer);
  EXPECT_EQ(floats(answer->at(0))[0], 6);
  EXPECT_EQ(floats(answer->at(1))[0], 2);
  EXPECT_EQ(floats(answer->at(2))[0], 6);
  EXPECT_EQ(successes("twice"), 1);  // of d nobody is told
  EXPECT_EQ(successes("thrice"), 1);
  EXPECT_EQ(ask({1, 1}, "p", {"d"}).error().code(), Code::invalid_argument);
}

TEST_F(PipelineTest, WhatDoesNotFitIsNamed) {
  put_models();
  ASSERT_TRUE(put(1, fake_model(1, "input x INT64 -1,2\noutput y INT64 -1,2\n"), "whole"));
  ASSERT_TRUE(put(1, fake_model(1, "input x FP32 -1,5\noutput y FP32 -1,5\n"), "wide"));
  const std::string twice = "    - {model: twice, inputs: {x: raw}, outputs: {y: middle}}\n";
  struct Case {
    std::string yaml, why;
  };
  const std::vector<Case> cases = {
      {"pipeline: [", "pipeline:1:"},
      {"pipeline: {? [a] : b, inputs: &a [*a]}", "pipeline"},
      {"pipeline: [1]", "must hold"},
      {with_steps("    - {model: twice, inputs: {? [x] : raw}, outputs: {y: out}}\n"), "inputs"},
      {with_steps("    - {model: twice, inputs: [x], outputs: {y: out}}\n"), "inputs"},
      {with_steps("    - {model: twice, inputs: {x: [raw]}, outputs: {y: out}}\n"), "inputs.x"},
      {with_steps("    - {model: twice, inputs: {x: raw, x: raw}, outputs: {y: out}}\n"), "twice"},
      {with_steps("    - {model: twice, inputs: {x: }, outputs: {y: out}}\n"), "inputs.x"},
      {with_steps("    - twice\n"), "steps[0]"},
      {"pipeline:\n", "pipeline.steps: 1 to 32 are wanted"},
      {with_steps(twice, "raw", ""), "pipeline.outputs: at least one is wanted"},
      {with_steps("    - {model: twice, inptus: {x: raw}, outputs: {y: out}}\n"), "inptus"},
      {with_steps("    - {model: none, inputs: {x: raw}, outputs: {y: out}}\n"),
       "step 1 ('none'): there is no model 'none'"},
      {with_steps("    - {model: p, inputs: {x: raw}, outputs: {y: out}}\n"),
       "step 1 ('p'): a pipeline cannot be a step of itself"},
      {with_steps(twice + "    - {model: thrice, inputs: {z: middle}, outputs: {y: out}}\n"),
       "step 2 ('thrice'): the model has no input 'z', it has x"},
      {with_steps(twice + "    - {model: thrice, inputs: {x: middle}, outputs: {z: out}}\n"),
       "step 2 ('thrice'): the model has no output 'z', it has y"},
      {with_steps("    - {model: twice, outputs: {y: out}}\n"),
       "step 1 ('twice'): the model's input 'x' is not given"},
      {with_steps("    - {model: twice, inputs: {x: raw}}\n"),
       "step 1 ('twice'): none of the model's outputs has a name"},
      {with_steps("    - {model: thrice, inputs: {x: middle}, outputs: {y: out}}\n" + twice),
       "the tensor 'middle' is no input of the pipeline, and no earlier step makes it"},
      {with_steps(twice + "    - {model: thrice, inputs: {x: middle}, outputs: {y: middle}}\n"),
       "the tensor 'middle' is there already"},
      {with_steps(twice + "    - {model: whole, inputs: {x: middle}, outputs: {y: out}}\n"),
       "the tensor 'middle' is FP32 [-1,2], the model's input 'x' is INT64 [-1,2]"},
      {with_steps(twice + "    - {model: wide, inputs: {x: raw}, outputs: {y: out}}\n"),
       "the tensor 'raw' is FP32 [-1,2], the model's input 'x' is FP32 [-1,5]"},
      {with_steps(twice), "no step makes the output 'out'"},
      {with_steps(twice, "raw", "raw"), "no step makes the output 'raw'"},
      {with_steps(twice, "raw", "middle, middle"), "the output 'middle' is there twice"},
      {with_steps(twice, "raw, raw", "middle"), "the input 'raw' is there twice"},
      {with_steps(twice, "raw, more", "middle"), "no step uses the input 'more'"},
  };
  for (const Case& one : cases)
    EXPECT_NE(refusal(one.yaml).find(one.why), std::string::npos) << refusal(one.yaml);
  std::string many;
  for (int i = 0; i < 33; ++i)
    many += "    - {model: twice, inputs: {x: raw}, outputs: {y: t" + std::to_string(i) + "}}\n";
  EXPECT_NE(refusal(with_steps(many, "raw", "t0")).find("1 to 32"), std::string::npos);
  const std::string padding(64 << 10, '\n');
  EXPECT_NE(refusal(kTwoSteps + padding, Code::too_large).find("at most"), std::string::npos);
  ASSERT_TRUE(put(1, kTwoSteps, "q"));
  EXPECT_NE(refusal(with_steps("    - {model: q, inputs: {raw: raw}, outputs: {out: out}}\n"))
                .find("is a pipeline itself"),
            std::string::npos);
  EXPECT_EQ(leftovers(), 0);
  EXPECT_FALSE(repository_->find("p"));
}

TEST_F(PipelineTest, ItsInputsSuitAllThatTheyGoTo) {
  ASSERT_TRUE(put(1, fake_model(2, "input x FP32 -1,-1\noutput y FP32 -1,-1\n"), "any"));
  ASSERT_TRUE(put(1, fake_model(3), "pairs"));
  ASSERT_TRUE(put(1,
                  with_steps("    - {model: any, inputs: {x: raw}, outputs: {y: a}}\n"
                             "    - {model: pairs, inputs: {x: raw}, outputs: {y: out}}\n"),
                  "p"));
  EXPECT_EQ((*repository_->find("p"))->accepts.inputs[0].shape, (std::vector<int64_t>{-1, 2}));
  // What only the values tell is checked when it is there.
  ASSERT_TRUE(put(1, fake_model(1, "input x FP32 2,-1\noutput y FP32 2,-1\n"), "two"));
  ASSERT_TRUE(put(2,
                  with_steps("    - {model: any, inputs: {x: raw}, outputs: {y: a}}\n"
                             "    - {model: two, inputs: {x: a}, outputs: {y: out}}\n"),
                  "p"));
  EXPECT_TRUE(ask({1, 2, 3, 4}));
  const auto refused = ask({1, 2, 3, 4, 5, 6});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::invalid_argument);
  EXPECT_EQ(refused.error().message(),
            "step 2 ('two'): input 'x' has the shape [3,2], the model wants [2,-1]");
}

TEST_F(PipelineTest, AModelMayChangeButNotItsTensors) {
  put_models();
  ASSERT_TRUE(put(1, kTwoSteps, "p"));
  ASSERT_TRUE(put(2, fake_model(5), "twice"));
  EXPECT_EQ(first(), 15);
  ASSERT_TRUE(put(3, fake_model(5, "input x FP32 -1,3\noutput y FP32 -1,3\n"), "twice"));
  const auto changed = ask({1, 1});
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code(), Code::unavailable);
  EXPECT_TRUE(changed.error().message().starts_with("step 1 ('twice'): version 3 has other"));
  EXPECT_FALSE(run_task(repository_->load("p")));  // three do not go into two
  EXPECT_FALSE(ready());
  ASSERT_TRUE(put(4, fake_model(7, "input x FP32 -1,-1\noutput y FP32 -1,-1\n"), "twice"));
  EXPECT_FALSE(ask({1, 1}));
  ASSERT_TRUE(run_task(repository_->load("p")));
  EXPECT_TRUE(ready());
  EXPECT_EQ(first(), 21);
}

TEST_F(PipelineTest, AModelThatIsGoneIsNamedAndFailsAreNotThePipelines) {
  put_models();
  ASSERT_TRUE(put(1, kTwoSteps, "p"));
  engine_.on_run = [](const Inputs&) -> Result<void> { return fail(Code::internal, "no"); };
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(ask({1, 1}));
  engine_.on_run = nullptr;
  const auto open = ask({1, 1});
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().reason(), kBreakerReason);
  EXPECT_FALSE((*repository_->find("p"))->breaker.open());
  EXPECT_TRUE((*repository_->find("twice"))->breaker.open());
  ASSERT_TRUE(run_task(repository_->unload("thrice")));
  EXPECT_FALSE(ready());
  const auto gone = ask({1, 1});
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code(), Code::unavailable);
  EXPECT_EQ(gone.error().message(),
            "step 2 ('thrice'): the model 'thrice' is not loaded: unloaded");
  ASSERT_TRUE(run_task(repository_->remove_all("thrice")));
  EXPECT_EQ(ask({1, 1}).error().code(), Code::unavailable);
}

TEST_F(PipelineTest, DeadlinesAreTheStepsToo) {
  put_models();
  ASSERT_TRUE(put(1, kTwoSteps, "p"));
  const MonoTime now = std::chrono::steady_clock::now();
  options_.deadline = now + std::chrono::milliseconds(20);
  engine_.on_run = [until = options_.deadline](const Inputs&) -> Result<void> {
    while (std::chrono::steady_clock::now() <= until) continue;
    return {};
  };
  const auto late = ask({1, 1});
  engine_.on_run = nullptr;
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Code::timed_out);
  EXPECT_TRUE(late.error().message().starts_with("step 2 ('thrice'): "));
  EXPECT_EQ(successes("twice"), 1);
}

TEST_F(PipelineTest, ComesBackAfterItsModels) {
  put_models();
  // Before them in any order of names.
  for (const char* name : {"a", "p", "z"}) ASSERT_TRUE(put(1, kTwoSteps, name));
  open();
  EXPECT_TRUE(repository_->ready()) << repository_->unready();
  for (const char* name : {"a", "p", "z"}) EXPECT_EQ(first(name), 6);
  ASSERT_TRUE(run_task(repository_->remove_all("twice")));
  open();
  EXPECT_FALSE(repository_->ready());
  EXPECT_NE(repository_->unready().find("step 1 ('twice'): there is no model"), std::string::npos);
  ASSERT_TRUE(put(1, fake_model(2), "twice"));
  ASSERT_TRUE(run_task(repository_->load("p")));
  EXPECT_EQ(first(), 6);
}

TEST_F(PipelineTest, WhatMadeRoomIsLoadedAgain) {
  constexpr uint64_t kSize = 100'000;
  const auto sized = [](int factor) {
    std::string text = fake_model(factor);
    text.resize(kSize, '\n');
    return text;
  };
  ASSERT_TRUE(put(1, sized(2), "twice"));
  ASSERT_TRUE(put(1, sized(3), "thrice"));
  ASSERT_TRUE(put(1, kTwoSteps, "p"));
  // Both do not fit: the pipeline waits to be asked, and each run loads what it needs.
  repository_.reset();
  repository_ = std::move(*Repository::open(folder_, engine_, {}, {kSize + kSize / 2, {}}));
  EXPECT_TRUE(repository_->ready());
  EXPECT_EQ(repository_->find("p").error().reason(), kEvictedReason);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(run_task(repository_->acquire("p")));
    EXPECT_EQ(first(), 6);
  }
}

}  // namespace
}  // namespace holdfast::inference
