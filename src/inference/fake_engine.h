// The engine contract in memory, for tests: models are small texts, whose answers are a plain
// product. Complete: what it loads, it runs.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "inference/engine.h"

namespace holdfast::inference {

// A model file: "fake model\n", then lines `factor 3`, `input x FP32 -1,2`, `output y FP32 -1,2`.
// The i-th output is the i-th input, of the same datatype; FP32, FP64 and INT64 times the factor,
// others as they are.
std::string fake_model(int factor,
                       const std::string& tensors = "input x FP32 -1,2\noutput y FP32 -1,2\n");

// Any thread may call. Outlives its models.
class FakeEngine final : public Engine {
 public:
  std::string_view platform() const override { return "fake"; }
  // invalid_argument: not such a file.
  Result<std::unique_ptr<Model>> load(const std::string& path) override;

  // What happens before each run, on its thread: an error refuses the run. Set it before models
  // run.
  std::function<Result<void>(const std::vector<TensorView>& inputs)> on_run;
  int alive() const { return alive_; }  // models that are not yet destroyed
  int runs() const { return runs_; }

 private:
  class FakeModel;
  std::atomic<int> alive_{0}, runs_{0};
};

}  // namespace holdfast::inference
