// A profile of normal numbers in three classes, and rows near and far from it. For tests alone.
#pragma once

#include <cstring>
#include <memory>
#include <random>

#include "inference/drift/profile.h"

namespace holdfast::inference {

inline const Signature kWatched = {{{.name = "x", .type = Datatype::fp32, .shape = {-1, 2}}},
                                   {{.name = "label", .type = Datatype::int64, .shape = {-1}}}};

// Rows of normal numbers with this mean; the classes 0, 1 and 2 as often as each other, or all one.
class Rows {
 public:
  explicit Rows(uint64_t seed) : random_(seed) {}
  std::pair<Outputs, Outputs> request(size_t rows, float mean = 0, bool one_class = false) {
    Tensor x{.name = "x", .type = Datatype::fp32};
    x.shape = {static_cast<int64_t>(rows), 2};
    Tensor label{.name = "label", .type = Datatype::int64, .shape = {static_cast<int64_t>(rows)}};
    std::normal_distribution<float> draw(mean, 1);
    std::uniform_int_distribution<int64_t> pick(0, 2);
    for (size_t i = 0; i < rows; ++i) {
      const float values[] = {draw(random_), draw(random_)};
      append(x.data, values, sizeof values);
      const int64_t picked = one_class ? 1 : pick(random_);
      append(label.data, &picked, sizeof picked);
    }
    return {Outputs{x}, Outputs{label}};
  }

 private:
  static void append(RawBytes& to, const void* from, size_t size) {
    const auto* bytes = static_cast<const std::byte*>(from);
    to.insert(to.end(), bytes, bytes + size);
  }
  std::mt19937_64 random_;
};

inline ProfilePtr normal_profile() {
  ProfileBuilder builder(plan_for(kWatched));
  const Plan plan = plan_for(kWatched);
  Rows rows(1);
  for (int i = 0; i < 20; ++i) {
    const auto [inputs, outputs] = rows.request(100);
    builder.add(take(plan, views_of(inputs), outputs));
  }
  return *parse_profile(to_json(builder.finish()), kWatched);
}

}  // namespace holdfast::inference
