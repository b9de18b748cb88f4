#include "inference/drift/features.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace holdfast::inference {
namespace {

constexpr uint64_t kMostElements = 64;  // watched one by one
constexpr uint64_t kMostClasses = 1024;
constexpr size_t kMostFeatures = 256;
constexpr std::array<const char*, 5> kSummary = {"mean", "std", "p10", "p50", "p90"};

bool is_float(Datatype type) {
  return type == Datatype::fp16 || type == Datatype::fp32 || type == Datatype::fp64;
}

Part part_of(const TensorInfo& info, bool output) {
  Part out{.tensor = info.name, .type = info.type, .rank = info.shape.size()};
  out.has_rows = info.shape.size() > 1 || (info.shape.size() == 1 && info.shape[0] < 0);
  bool free = false;
  uint64_t width = 1;
  for (size_t i = out.has_rows ? 1 : 0; i < info.shape.size(); ++i) {
    free = free || info.shape[i] < 0;
    width = std::min<uint64_t>(width * static_cast<uint64_t>(std::max<int64_t>(info.shape[i], 1)),
                               1ull << 40);
  }
  out.width = free ? 0 : width;
  const bool classes = out.has_rows && out.rank == 2 && out.width <= kMostClasses;
  if (output && out.width == 1 && !is_float(out.type))
    out.as = Watched::label;
  else if (out.type == Datatype::bytes)
    out.as = Watched::length;
  else if (output && is_float(out.type) && classes && out.width != 1)
    out.as = Watched::largest;
  else
    out.as = out.width > 0 && out.width <= kMostElements ? Watched::elements : Watched::summary;
  return out;
}

size_t features_of(const Part& part) {
  switch (part.as) {
    case Watched::elements:
      return part.width;
    case Watched::summary:
      return kSummary.size();
    case Watched::length:
    case Watched::largest:
      return 1;
    case Watched::label:
    case Watched::nothing:
      break;
  }
  return 0;
}

void name_features(const Part& part, std::vector<std::string>& names) {
  switch (part.as) {
    case Watched::elements:
      for (uint64_t i = 0; i < part.width; ++i)
        names.push_back(part.width == 1 ? part.tensor
                                        : part.tensor + "[" + std::to_string(i) + "]");
      break;
    case Watched::summary:
      for (const char* name : kSummary) names.push_back(part.tensor + "." + name);
      break;
    case Watched::length:
      names.push_back(part.tensor + ".length");
      break;
    case Watched::largest:
      names.push_back(part.tensor + ".confidence");
      break;
    case Watched::label:
    case Watched::nothing:
      break;
  }
}

// `of` is left in another order.
void summarise(std::vector<float>& of, float* into) {
  const auto n = static_cast<double>(of.size());
  double sum = 0, squares = 0;
  for (const float value : of) {
    if (!std::isfinite(value)) {  // a row with a hole is broken, whatever the others are
      std::fill_n(into, kSummary.size(), kMissing);
      return;
    }
    sum += value;
  }
  const double mean = sum / n;
  for (const float value : of) squares += (value - mean) * (value - mean);
  into[0] = static_cast<float>(mean);
  into[1] = static_cast<float>(std::sqrt(squares / n));
  size_t i = 2;
  for (const double part : {0.1, 0.5, 0.9}) {
    const auto at = of.begin() + static_cast<ptrdiff_t>(part * (n - 1));
    std::ranges::nth_element(of, at);
    into[i++] = *at;
  }
}

// The class of a row of numbers, and how sure the model is of it.
size_t largest(const std::vector<float>& of, float& confidence) {
  double sum = 0, softmax = 0;
  bool distribution = true;
  size_t best = 0;
  for (size_t i = 0; i < of.size(); ++i) {
    if (!(of[i] <= of[best])) best = i;
    distribution = distribution && of[i] >= 0;
    sum += of[i];
  }
  for (const float value : of) softmax += std::exp(static_cast<double>(value) - of[best]);
  confidence =
      distribution && std::abs(sum - 1) <= 1e-3 ? of[best] : static_cast<float>(1 / softmax);
  return best;
}

}  // namespace

Plan plan_for(const Signature& signature) {
  Plan plan;
  for (const TensorInfo& info : signature.inputs) plan.inputs.push_back(part_of(info, false));
  for (const TensorInfo& info : signature.outputs) plan.outputs.push_back(part_of(info, true));
  size_t wanted = 0;
  for (const auto* parts : {&plan.inputs, &plan.outputs})
    for (const Part& part : *parts) wanted += features_of(part);
  for (auto* parts : {&plan.inputs, &plan.outputs}) {
    for (Part& part : *parts) {
      if (wanted > kMostFeatures && part.as == Watched::elements && part.width > kSummary.size())
        part.as = Watched::summary;
      if (plan.features.size() + features_of(part) > kMostFeatures) part.as = Watched::nothing;
      part.first = plan.features.size();
      part.mix = plan.classes.size();
      name_features(part, plan.features);
      if (part.as == Watched::label || part.as == Watched::largest)
        plan.classes.push_back(part.tensor);
    }
  }
  return plan;
}

void each_row(const Plan& plan, const Taken& taken, const std::function<void(const Row&)>& see) {
  std::vector<float> numbers;
  for (size_t row = 0; row < taken.rows; ++row) {
    Row out{.values = std::vector<float>(plan.features.size(), kAbsent),
            .labels = std::vector<std::optional<std::string>>(plan.classes.size())};
    for (const Taken::Piece& piece : taken.pieces) {
      const Part& part = *piece.part;
      if (part.as == Watched::label) {
        out.labels[part.mix] = piece.labels[row];
        continue;
      }
      const auto begin = piece.numbers.begin() + static_cast<ptrdiff_t>(row * piece.width);
      numbers.assign(begin, begin + static_cast<ptrdiff_t>(piece.width));
      float* const into = out.values.data() + part.first;
      if (part.as == Watched::summary) {
        summarise(numbers, into);
      } else if (part.as != Watched::largest) {
        std::ranges::transform(numbers, into,
                               [](float of) { return std::isfinite(of) ? of : kMissing; });
      } else if (std::ranges::all_of(numbers, [](float of) { return std::isfinite(of); })) {
        out.labels[part.mix] = std::to_string(largest(numbers, *into));
      } else {
        *into = kMissing;
      }
    }
    see(out);
  }
}

}  // namespace holdfast::inference
