// The shapes that a model's outputs had for certain shapes of its inputs: where they come again,
// the engine can write straight into the answer.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "inference/engine.h"

namespace holdfast::inference {

// Any thread.
class KnownShapes {
 public:
  // Outputs of the shapes that the last run had, with room for their elements; empty where its
  // inputs had other shapes, other outputs were wanted, or nothing is known.
  std::vector<Tensor> room_for(const std::vector<TensorView>& inputs,
                               const std::vector<std::string>& wanted) const;
  // What a run made. BYTES have no room of a known size; runs with them teach nothing.
  void learn(const std::vector<TensorView>& inputs, const std::vector<std::string>& wanted,
             const std::vector<Tensor>& outputs);
  // The outputs' shapes depend on more than the inputs' shapes: nothing is known from now on.
  void give_up();

 private:
  struct Run {
    std::vector<std::vector<int64_t>> inputs;
    std::vector<std::string> wanted;
    std::vector<Tensor> outputs;  // without their elements
  };
  mutable std::mutex mutex_;
  std::shared_ptr<const Run> last_;
  bool given_up_ = false;
};

}  // namespace holdfast::inference
