// Makes a model's profile (drift/profile.h) of its training data.
#pragma once

#include "base/clock.h"
#include "inference/drift/profile.h"
#include "inference/measure/rows.h"
#include "inference/measure/tuned_engine.h"

namespace holdfast::inference {

struct ProfileOptions {
  std::string data;  // as each_request() takes it
  Tuning usual;      // which engine runs the model
  std::function<void(double)> progress;
};
struct MadeProfile {
  std::string text;  // the file
  uint64_t rows = 0, sample_rows = 0, skipped = 0;
  size_t features = 0, classes = 0;
};
// Runs the model on every row. Blocking; memory does not grow with the data. invalid_argument:
// there are fewer than 100 rows; as each_request(); what the model refuses.
Result<MadeProfile> make_profile(const std::string& model, const ProfileOptions& options,
                                 const Clock& clock);

}  // namespace holdfast::inference
