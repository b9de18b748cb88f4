// One model version's live rows beside its profile: a window of them, and what it says when it is
// full. Windows follow each other without overlap, so that each is a sample of its own. Use by one
// thread at a time.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/clock.h"
#include "inference/drift/profile.h"

namespace holdfast::inference {

struct DriftLimits {
  uint64_t window = 1000;                      // rows
  std::chrono::milliseconds after{3'600'000};  // a window is closed so long after its first row,
  uint64_t least = 100;                        // with at least so many
  double psi = 0.2, ks = 0.2, classes = 0.1;
  // The probability that a window of undisturbed rows exceeds what chance allows; divided by the
  // number of comparisons (Bonferroni).
  double alpha = 0.001;
  uint64_t features = 1;  // so many over their limits are drift
};
// invalid_argument, naming the field.
Result<void> check(const DriftLimits& limits);

// A distance, and the limit that it has to exceed: the configured one or, where that is larger,
// what chance allows for samples of this size.
struct Measure {
  double value = 0, limit = 0;
  bool over() const { return value > limit; }
  bool near() const { return value > 0.8 * limit; }
};
struct DriftReport {
  struct Feature {
    std::string name;
    Measure psi, ks;
    uint64_t rows = 0, missing = 0;
    bool over() const { return psi.over() || ks.over(); }
    bool near() const { return psi.near() || ks.near(); }
  };
  struct Classes {
    std::string name;
    Measure distance;  // the limit is 1 where the difference may be chance
    uint64_t rows = 0;
    std::vector<std::pair<std::string, uint64_t>> counts;
  };
  WallTime begun, ended;
  uint64_t rows = 0;
  std::vector<Feature> features;
  std::vector<Classes> classes;
  bool drift = false;  // over the limits
  bool calm = false;   // below four fifths of them: an earlier drift has ended
};

class DriftWindow {
 public:
  DriftWindow(ProfilePtr profile, DriftLimits limits);
  void add(const Row& row, WallTime now);
  uint64_t rows() const { return rows_; }
  bool due(WallTime now) const;
  // What the rows say; the window is empty then.
  DriftReport close(WallTime now);
  const ProfilePtr& profile() const { return profile_; }
  void share(ProfilePtr equal) { profile_ = std::move(equal); }  // the same, read once more

 private:
  DriftReport::Feature measure(size_t index, double alpha);
  DriftReport::Classes mix(size_t index, double alpha) const;
  ProfilePtr profile_;
  const DriftLimits limits_;
  WallTime begun_{};
  uint64_t rows_ = 0;
  std::vector<std::vector<float>> values_;
  std::vector<uint64_t> missing_;
  std::vector<std::vector<uint64_t>> classes_;
};

}  // namespace holdfast::inference
