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
  std::string precision = "f32";       // OpenVINO's sums: f32, bf16, f16; int8: another file
  std::string device = "cpu";          // OpenVINO's gpu, npu; ONNX Runtime's cuda, tensorrt_rtx
  int threads = 1;                     // inside one run
  unsigned lanes = 0;                  // runs at the same time; 0: the server's
  uint64_t rows = 0;                   // at most in a merged run; 0: as many as pay
  bool in_8_bits() const { return precision == "int8"; }
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
    std::string quantized = "";    // the digest of the model in 8 bits, where that is run
  };
  // nullopt: not measured on this hardware. What is damaged is as if it were not there, and logged.
  std::optional<Known> read(const std::string& digest) const;
  // `findings`: the measurement as JSON, for whoever looks. `quantized`: where the tuning is in 8
  // bits, that model's file, of which a copy is kept. Durable.
  Result<void> write(const std::string& digest, const Known& known, const std::string& findings,
                     const std::string& quantized = "") const;
  // The file to load for the model at `path`: itself, or the one in 8 bits. not_found;
  // invalid_argument: it is not the one that was measured.
  Result<std::string> file_for(const std::string& digest, const Known& known,
                               const std::string& path) const;
  // The model is gone, and with it what was made of it. A tuning that needs no file stays.
  void forget(const std::string& digest) const;

 private:
  std::string path_of(const std::string& digest, std::string_view ending = ".json") const;
  const std::string directory_, hardware_;
};

}  // namespace holdfast::inference
