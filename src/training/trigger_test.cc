#include "training/trigger.h"

#include <gtest/gtest.h>

#include <cmath>

#include "training/gate.h"

namespace holdfast::training {
namespace {

constexpr std::string_view kGate = R"(name: digits-gate
trigger: {type: model, model: digits}
create_job: compare.yaml
gate:
  - {metric: unseen, min_gain: 0.01}
  - {metric: old, max_loss: 0.03}
deploy:
  - {device: press-07, module: digits}
)";

TEST(Trigger, AllKindsAreRead) {
  const auto data = parse_trigger(
      "name: retrain\ntrigger: {type: data, asset: digits, account: site1, container: ready, "
      "when: labels/*.csv, settle: 3s}\ncreate_job: train.yaml\n",
      "t");
  ASSERT_TRUE(data) << data.error().message();
  EXPECT_EQ(data->data->asset, "digits");
  EXPECT_EQ(data->data->when, "labels/*.csv");
  EXPECT_EQ(data->data->settle, std::chrono::seconds(3));
  const auto drift = parse_trigger(
      "name: d\ntrigger: {type: drift, model: digits, asset: digits, account: site1, container: "
      "ready, prefix: labels/}\ncreate_job: train.yaml\n",
      "t");
  ASSERT_TRUE(drift) << drift.error().message();
  EXPECT_EQ(drift->data->watched(), "ready");
  EXPECT_EQ(drift->data->below() + drift->data->when,
            "drift/drift-digits-????????T?????"
            "?-????????.jsonl");
  const auto gate = parse_trigger(kGate, "t");
  ASSERT_TRUE(gate) << gate.error().message();
  EXPECT_EQ(gate->model, "digits");
  EXPECT_FALSE(gate->data);
  ASSERT_EQ(gate->gate.size(), 2u);
  EXPECT_EQ(gate->gate[0].min_gain, 0.01);
  EXPECT_EQ(gate->gate[1].max_loss, 0.03);
  EXPECT_EQ(gate->deploy.at(0).device, "press-07");
  EXPECT_EQ(gate->alias, "champion");
}

TEST(Trigger, WhatIsWrongIsNamedWithItsPlace) {
  const std::string data = "name: t\ntrigger: {type: data, asset: a, account: b, container: c}\n";
  const std::string model = "name: t\ntrigger: {type: model, model: m}\n";
  const std::pair<std::string, std::string> cases[] = {
      {"trigger: {type: model, model: m}\n", "name: is required"},
      {"name: t\n", "trigger: is required"},
      {"name: t\ntrigger: {type: time}\n", "t:2:"},
      {data, "create_job: is required"},
      {"name: t\ntrigger: {type: drift, asset: a, account: b, container: c}\n",
       "model: is required"},
      {"name: t\ntrigger: {type: drift, model: m, asset: a, account: b, container: c, when: x}\n",
       "when"},
      {"name: t\ntrigger: {type: drift, model: m, asset: a, account: b, container: c, events: "
       "'c/*'}\n",
       "CONTAINER/FOLDER"},
      {"name: t\ntrigger: {type: drift, model: m, asset: a, account: b, container: c}\n",
       "create_job: is required"},
      {data + "create_job: j\ngate: [{metric: m, min: 1}]\n", "belongs to a trigger of type model"},
      {data + "create_job: j\ncolour: red\n", "t:4:1: colour"},
      {model + "create_job: j\n", "needs a gate"},
      {model + "gate: [{metric: m, min: 1}]\n", "needs create_job"},
      {model + "create_job: j\ngate: [{metric: m}]\n", "min, min_gain or max_loss"},
      {model + "create_job: j\ngate: [{metric: m, max_loss: -1}]\n", "below 0"},
      {model + "alias: latest\n", "'latest' is taken"},
      {"name: a/b\ntrigger: {type: model, model: m}\n", "t:1:"},
  };
  for (const auto& [yaml, message] : cases) {
    const auto read = parse_trigger(yaml, "t");
    ASSERT_FALSE(read) << yaml;
    EXPECT_EQ(read.error().code(), Code::invalid_argument);
    EXPECT_NE(read.error().message().find(message), std::string::npos)
        << yaml << read.error().message();
  }
}

TEST(Trigger, AJobIsBoundToItsVersion) {
  EXPECT_EQ(*bind_job("a: azureml:d:${{ trigger.version }} ${{inputs.x}}", 12),
            "a: azureml:d:12 ${{inputs.x}}");
  EXPECT_FALSE(bind_job("${{trigger.colour}}", 1));
}

std::vector<ml::Metric> metrics(double champion, double challenger) {
  std::vector<ml::Metric> out(2);
  out[0].key = "champion/acc";
  out[0].value = champion;
  out[1].key = "challenger/acc";
  out[1].value = challenger;
  return out;
}
Rule rule(std::optional<double> min, std::optional<double> gain, std::optional<double> loss,
          bool lower = false) {
  Rule out;
  out.metric = "acc";
  out.min = min;
  out.min_gain = gain;
  out.max_loss = loss;
  out.lower_is_better = lower;
  return out;
}

TEST(Gate, EachRuleHoldsAtItsLimitAndNotBeyond) {
  const std::optional<double> none;
  struct Case {
    Rule rule;
    double champion, challenger;
    bool promoted;
  };
  const Case cases[] = {
      {rule(0.9, none, none), 0.5, 0.9, true},     {rule(0.9, none, none), 0.5, 0.89, false},
      {rule(none, 0.1, none), 0.8, 0.9, true},     {rule(none, 0.1, none), 0.8, 0.89, false},
      {rule(none, 0.0, none), 0.8, 0.8, true},     {rule(none, 0.0, none), 0.8, 0.79, false},
      {rule(none, none, 0.03), 0.98, 0.95, true},  {rule(none, none, 0.03), 0.98, 0.94, false},
      {rule(0.5, none, none, true), 1, 0.4, true}, {rule(0.5, none, none, true), 1, 0.6, false},
      {rule(none, 0.1, none, true), 1, 0.9, true}, {rule(none, 0.1, none, true), 1, 0.95, false},
      {rule(none, none, 0.1, true), 1, 1.1, true}, {rule(none, none, 0.1, true), 1, 1.2, false},
      {rule(none, 0.0, none), NAN, 0.9, false},    {rule(none, 0.0, none), 0.8, NAN, false},
  };
  for (const Case& one : cases) {
    const Verdict verdict = judge({one.rule}, metrics(one.champion, one.challenger));
    EXPECT_EQ(verdict.promoted, one.promoted)
        << one.champion << " " << one.challenger << " " << verdict.findings.at(0).reason;
  }
  EXPECT_FALSE(judge({rule(0.1, none, none)}, {}).promoted);
  const Verdict two = judge({rule(0.1, none, none), rule(0.95, none, none)}, metrics(0.9, 0.9));
  EXPECT_FALSE(two.promoted);
  EXPECT_EQ(two.findings.at(1).reason, "0.9 does not reach 0.95");
}

}  // namespace
}  // namespace holdfast::training
