// What is watched of a model: a few numbers and classes of each row of its tensors. The first size
// of a tensor counts rows where it is free or others follow; else the tensor is one row.
//
//   numbers, up to 64 a row     each by itself, as "x[3]" ("x" where it is the only one)
//   more, or any number         "x.mean", "x.std", "x.p10", "x.p50", "x.p90" of the row, of at most
//                               1024 of its numbers, at places that are always the same
//   BYTES                       "x.length", in bytes
//   an output of one integer, boolean or text a row            its values are the classes
//   an output of floats of the shape [rows, 2 to 1024]         the largest is the class, and
//       "y.confidence" its value where the row is a distribution, else its softmax
//
// Numbers are FP32, whatever the tensor's type. At most 256 features a model: where single numbers
// would be more, all tensors are summarised. Plain functions.
#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "inference/batch.h"

namespace holdfast::inference {

enum class Watched { nothing, elements, summary, length, label, largest };

// How one tensor is watched.
struct Part {
  std::string tensor;
  Datatype type = Datatype::fp32;
  Watched as = Watched::nothing;
  bool has_rows = false;
  size_t rank = 0;
  uint64_t width = 0;  // elements a row; 0: any number
  size_t first = 0;    // its features in the plan, from here on
  size_t mix = 0;      // its classes
};
struct Plan {
  std::vector<Part> inputs, outputs;
  std::vector<std::string> features, classes;  // names
  bool operator==(const Plan& other) const {
    return features == other.features && classes == other.classes;
  }
};
Plan plan_for(const Signature& signature);

// A row's features and classes. A feature that is not a finite number is missing (NaN); one whose
// output the request did not ask for is absent (infinite).
struct Row {
  std::vector<float> values;
  std::vector<std::optional<std::string>> labels;
};
inline constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kAbsent = std::numeric_limits<float>::infinity();

// What a request's tensors hold that is watched: copied, so that it may be looked at later.
struct Taken {
  struct Piece {
    const Part* part = nullptr;  // of the plan
    size_t width = 0;            // numbers a row
    std::vector<float> numbers;
    std::vector<std::string> labels;
  };
  size_t rows = 0;
  std::vector<Piece> pieces;
  uint64_t bytes() const;
};
// At most 256 rows of the request, evenly spread. Cheap: it copies, and computes nothing. The plan
// must outlive the result.
Taken take(const Plan& plan, const Inputs& inputs, const Outputs& outputs);
// Each of the rows in order.
void each_row(const Plan& plan, const Taken& taken, const std::function<void(const Row&)>& see);

}  // namespace holdfast::inference
