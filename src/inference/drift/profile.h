// What a model's requests and answers looked like when it was trained: what live ones are compared
// with. A JSON file beside the version's model.onnx, profile.json:
//
//   {"format": "holdfast.profile/1", "model_digest": "sha256:…", "created": "…",
//    "rows": 60000,                       of the data
//    "sample_rows": 2000,                 a uniform sample of them, on which all of this rests
//    "features": [{"name": "x[0]", "missing": 0,   rows of the sample that have no finite number
//                  "sample": [0.1, 0.4, …],        sorted
//                  "edges": [0.2, …],              its deciles, equal ones once
//                  "counts": [200, …]}],           rows ≤ edges[0], ≤ edges[1], …, above, missing
//    "classes": [{"name": "label", "counts": {"0": 201, "1": 199}, "other": 0}]}
//
// Features and classes are those of features.h, in its order. The sample is Vitter's reservoir
// (algorithm R, 1985), with a fixed seed, so memory is bounded and the same data give the same
// file.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "inference/drift/features.h"

namespace holdfast::inference {

struct Loaded;

struct FeatureProfile {
  std::string name;
  uint64_t missing = 0;
  std::vector<float> sample, edges;
  std::vector<uint64_t> counts;  // edges + 2
};
struct ClassProfile {
  std::string name;
  std::vector<std::string> labels;  // sorted
  std::vector<uint64_t> counts;     // labels + 1: the last is of all others
};

struct Profile {
  std::string model_digest, created;
  uint64_t rows = 0, sample_rows = 0;
  std::vector<FeatureProfile> features;
  std::vector<ClassProfile> classes;
  Plan plan;
  std::string digest;  // "sha256:…" of the file
};
using ProfilePtr = std::shared_ptr<const Profile>;

inline constexpr uint64_t kMostProfile = 16 << 20;  // bytes of a file
inline constexpr const char* kProfileFile = "profile.json";

// Rows by bin, the missing ones last; `values` sorted.
std::vector<uint64_t> bin_counts(std::span<const float> values, uint64_t missing,
                                 std::span<const float> edges);
// The bin of a label: that of the others where the profile does not know it.
size_t class_of(const ClassProfile& profile, const std::string& label);

class ProfileBuilder {
 public:
  explicit ProfileBuilder(Plan plan, size_t sample_rows = 2000);
  void add(const Taken& taken);
  uint64_t rows() const { return rows_; }
  // Without plan and digest.
  Profile finish() const;

 private:
  FeatureProfile feature(size_t index) const;
  ClassProfile classes(size_t index) const;
  const Plan plan_;
  const size_t most_;
  uint64_t rows_ = 0;
  std::vector<Row> sample_;
  std::mt19937_64 random_{1};
};

std::string to_json(const Profile& profile);
// invalid_argument: not such a file, or one of a model with other features, with what is wrong.
Result<ProfilePtr> parse_profile(std::string_view text, const Signature& signature);
// Gives a version the profile in its folder, where there is one; why it does not fit otherwise.
void read_profile(Loaded& loaded, const std::string& folder);

}  // namespace holdfast::inference
