// A model whose answers tell whose rows they are. For tests alone.
#pragma once

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "inference/scheduler.h"

namespace holdfast::inference {

// `y` is 3 × `x`, row by row, after `before` has seen the rows.
class TripleModel final : public Model {
 public:
  TripleModel() {
    TensorInfo info;
    info.shape = {-1, 2};
    info.name = "x";
    signature_.inputs = {info};
    info.name = "y";
    signature_.outputs = {info};
  }
  std::string_view platform() const override { return "triple"; }
  const Signature& signature() const override { return signature_; }
  Result<Outputs> run(const Inputs& inputs, const std::vector<std::string>&) override {
    std::vector<float> values(inputs[0].data.size() / sizeof(float));
    std::memcpy(values.data(), inputs[0].data.data(), inputs[0].data.size());
    if (before) TRY_VOID(before(values));
    const float shift = mix ? values.front() : 0;
    for (float& value : values) value = value * 3 + shift;
    Tensor out;
    out.name = "y";
    out.shape = inputs[0].shape;
    out.data.resize(inputs[0].data.size());
    std::memcpy(out.data.data(), values.data(), out.data.size());
    std::vector<Tensor> answer;
    answer.push_back(std::move(out));
    return answer;
  }
  std::function<Result<void>(const std::vector<float>&)> before;
  bool mix = false;  // every row depends on the first

 private:
  Signature signature_;
};

struct Served {
  explicit Served(const std::string& name = "m") {
    loaded.name = name;
    loaded.mergeable = true;
    auto made = std::make_unique<TripleModel>();
    model = made.get();
    loaded.model = std::move(made);
  }
  Loaded loaded;
  TripleModel* model;
};

inline std::vector<float> values_of(const Outcome& outcome) {
  const ByteView bytes = outcome.answer.value().at(0).data;
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

}  // namespace holdfast::inference
