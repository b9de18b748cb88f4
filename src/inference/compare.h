// How far two versions' answers to one request are apart. Plain functions.
#pragma once

#include "inference/batch.h"

namespace holdfast::inference {

struct Comparison {
  double max_difference = 0;  // of floats; infinite where one alone is not a number
  bool other_form = false;    // names, types or shapes differ
  bool other_class = false;   // the largest of a row is another: floats of two dimensions or more
  bool other_exact = false;   // integers, booleans or texts differ
  bool over = false;  // floats that are no rows of classes differ by more than the tolerance
};

Comparison compare(const Outputs& one, const Outputs& other, double tolerance);

}  // namespace holdfast::inference
