#include "jobs/job_yaml.h"

#include <gtest/gtest.h>

namespace holdfast::jobs {
namespace {

constexpr std::string_view kWhole = R"($schema: https://example.com/commandJob.schema.json
type: command
name: train-1
display_name: Training
experiment_name: digits
description: of the digits
code: ./src
command: >-
  python train.py --data ${{inputs.data}} --rate ${{ inputs.rate }} --out ${{outputs.model}}
inputs:
  data: {type: uri_folder, path: "azureml:digits:3"}
  labels: {type: uri_file, path: azureml:labels@latest}
  rate: 0.5
  fast: true
  champion: {type: custom_model, path: azureml:digits@champion}
outputs:
  model: {type: custom_model, name: digits}
  report: {}
environment: {pip: ["numpy>=1.2", scikit-learn]}
environment_variables: {SEED: 7}
compute: local
tags: {who: me}
)";

TEST(JobYaml, EveryFieldIsRead) {
  const auto job = parse_job(kWhole, "job.yaml");
  ASSERT_TRUE(job) << job.error().message();
  EXPECT_EQ(job->name, "train-1");
  EXPECT_EQ(job->experiment, "digits");
  ASSERT_EQ(job->inputs.size(), 5u);
  EXPECT_EQ(job->inputs[0].data->asset, "digits");
  EXPECT_EQ(job->inputs[0].data->version, 3);
  EXPECT_EQ(job->inputs[1].type, "uri_file");
  EXPECT_EQ(job->inputs[1].data->version, 0);
  EXPECT_EQ(job->inputs[2].literal, "0.5");
  EXPECT_FALSE(job->inputs[2].data);
  EXPECT_EQ(job->inputs[3].literal, "true");
  EXPECT_TRUE(job->inputs[4].is_model());
  EXPECT_EQ(job->inputs[4].data->asset, "digits");
  EXPECT_EQ(job->inputs[4].data->alias, "champion");
  EXPECT_EQ(job->outputs[0].model, "digits");
  EXPECT_EQ(job->outputs[1].type, "uri_folder");
  EXPECT_EQ(job->environment.pip, (std::vector<std::string>{"numpy>=1.2", "scikit-learn"}));
  EXPECT_EQ(job->variables, (Pairs{{"SEED", "7"}}));
  EXPECT_EQ(job->tags, (Pairs{{"who", "me"}}));
}

struct Wrong {
  const char* yaml;
  const char* place;    // where the error points
  const char* message;  // a part of it
};

TEST(JobYaml, WhatIsWrongIsNamedWithItsPlace) {
  const Wrong cases[] = {
      {"command: a\nenvironment: {}\ncolour: red\n", "j:3:1:", "colour"},
      {"command: a\nenvironment: {}\ninputs:\n  x: {pat: 1}\n", "j:4:", "path: is required"},
      {"command: a\nenvironment: {}\ninputs:\n  x: {path: 'azureml:d@champion'}\n",
       "j:4:", "no data reference"},
      {"command: a\nenvironment: {}\ninputs:\n  x: {type: custom_model, path: 'azureml:d'}\n",
       "j:4:", "no model reference"},
      {"command: a\nenvironment: {}\ninputs:\n  x:\n    path: azureml:a:1\n    mode: ro\n",
       "j:6:5:", "inputs.x.mode"},
      {"environment: {}\n", "j:1:1:", "command: is required"},
      {"command: a\n", "j:1:1:", "environment: is required"},
      {"type: pipeline\ncommand: a\nenvironment: {}\n", "j:1:7:", "pipeline"},
      {"command: a ${{inputs.x}}\nenvironment: {}\n", "j:1:10:", "${{inputs.x}}"},
      {"environment: {}\ncommand: a ${{outputs.y}}\n", "j:2:10:", "${{outputs.y}}"},
      {"command: a ${{search.y}}\nenvironment: {}\n", "j:1:10:", "not offered"},
      {"command: a ${{inputs.y\nenvironment: {}\n", "j:1:10:", "not closed"},
      {"command: a\nenvironment: {}\ninputs:\n  x: {path: ./here}\n", "j:4:", "./here"},
      {"command: a\nenvironment: {}\ninputs:\n  x: {path: 'azureml:a:0'}\n", "j:4:", "azureml:a:0"},
      {"command: a\nenvironment: {}\ninputs:\n  x: {path: 'azureml:../a:1'}\n", "j:4:", "../a"},
      {"command: a\nenvironment: {}\ninputs:\n  ../x: 1\n", "j:4:", "name"},
      {"command: a\nenvironment: {}\noutputs:\n  y: {name: m}\n", "j:4:", "registered"},
      {"command: a\nenvironment: {}\noutputs:\n  y: {type: custom_model, name: a/b}\n",
       "j:4:", "a/b"},
      {"command: a\nenvironment: {pip: ['--index-url=x']}\n", "j:2:", "--index-url"},
      {"command: a\nenvironment: numpy\n", "j:2:14:", "numpy"},
      {"command: a\nenvironment: azureml:@latest\n", "j:2:14:", "azureml"},
      {"command: a\nenvironment: {}\ncompute: cluster\n", "j:3:10:", "cluster"},
      {"command: a\nenvironment: {}\nname: a/b\n", "j:3:7:", "a/b"},
      {"command: a\nenvironment: {}\nenvironment_variables: {'A=B': x}\n", "j:3:", "A=B"},
      {"command: a\nenvironment: {}\nenvironment_variables: {HOLDFAST_X: x}\n",
       "j:3:", "HOLDFAST_X"},
      {"command: a\ncommand: b\nenvironment: {}\n", "j:2:1:", "twice"},
      {"- a\n", "j:1:1:", "key: value"},
      {"command: [\n", "j:", ""},
  };
  for (const Wrong& wrong : cases) {
    const auto job = parse_job(wrong.yaml, "j");
    ASSERT_FALSE(job) << wrong.yaml;
    EXPECT_EQ(job.error().code(), Code::invalid_argument);
    EXPECT_TRUE(job.error().message().starts_with(wrong.place))
        << wrong.yaml << job.error().message();
    EXPECT_NE(job.error().message().find(wrong.message), std::string::npos)
        << wrong.yaml << job.error().message();
  }
}

TEST(JobYaml, BindingReplacesEveryReference) {
  const BoundValue value = [](std::string_view kind, std::string_view name) {
    return Result<std::string>(std::string(kind) + "/" + std::string(name));
  };
  EXPECT_EQ(*bind_command("a ${{inputs.x}}${{outputs.y}} $HOME ${{ inputs.x }}", value),
            "a inputs/xoutputs/y $HOME inputs/x");
  EXPECT_EQ(*bind_command("plain", value), "plain");
}

}  // namespace
}  // namespace holdfast::jobs
