// How a model is best run on this machine, as measured; kept by the digest of its file together
// with the hardware that it was measured on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace holdfast::inference {

struct Tuning {
  std::string engine = "onnxruntime";  // or "openvino"
  std::string precision = "f32";       // OpenVINO's sums: f32, bf16, f16
  int threads = 1;                     // inside one run
  unsigned lanes = 0;                  // runs at the same time; 0: the server's
  uint64_t rows = 0;                   // at most in a merged run; 0: as many as pay
  bool operator==(const Tuning&) const = default;
};
std::string describe(const Tuning& tuning);  // "openvino bf16, 2 threads × 1 lane"

// What a measurement depends on: processor, usable cores and quota, and the libraries' files. Maps
// none of them.
std::string hardware();

// One small file a model. Any thread may call; the newest write counts.
class TuningStore {
 public:
  // `directory` empty: nothing is known or kept. `on` is the hardware that counts.
  explicit TuningStore(std::string directory, std::string on = hardware());

  struct Known {
    std::optional<Tuning> tuning;  // nullopt: the server's own settings were the best
  };
  // nullopt: not measured on this hardware. What is damaged is as if it were not there, and logged.
  std::optional<Known> read(const std::string& digest) const;
  // `findings`: the measurement as JSON, for whoever looks. Durable.
  Result<void> write(const std::string& digest, const Known& known,
                     const std::string& findings) const;

 private:
  std::string path_of(const std::string& digest) const;
  const std::string directory_, hardware_;
};

}  // namespace holdfast::inference
