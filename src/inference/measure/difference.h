// How far two answers of a model are from each other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "inference/engine.h"

namespace holdfast::inference {

struct Difference {
  std::string output, datatype;
  bool equal = true;                 // bit for bit, shape included
  bool comparable = true;            // same shape and datatype; else the rest says nothing
  double most = 0;                   // largest absolute difference; of texts: 1 where one differs
  double scale = 0;                  // largest absolute value of the first
  uint64_t ulps = 0;                 // most representable numbers between; of floating point alone
  uint64_t rows = 0, same_best = 0;  // of the last size's rows, those whose largest is at one place
};
// By the name of each output in `one`; adds to `into` what an earlier pair had, where there is one.
void compare(const std::vector<Tensor>& one, const std::vector<Tensor>& other,
             std::vector<Difference>& into);

}  // namespace holdfast::inference
