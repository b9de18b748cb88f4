// The engine contract: what can load a model and run it. ONNX Runtime is one; the fake
// for tests is fake_engine.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace holdfast::inference {

// The datatypes of the Open Inference Protocol, in its order of names.
enum class Datatype {
  boolean,
  uint8,
  uint16,
  uint32,
  uint64,
  int8,
  int16,
  int32,
  int64,
  fp16,
  fp32,
  fp64,
  bytes
};
std::string_view to_string(Datatype type);               // "FP32"
Result<Datatype> parse_datatype(std::string_view text);  // invalid_argument
size_t size_of(Datatype type);                           // bytes an element; 0 for BYTES

struct TensorInfo {
  std::string name;
  Datatype type = Datatype::fp32;
  std::vector<int64_t> shape;  // -1: any size
  bool pictures = false;       // BYTES of PNG and JPEG files are taken for it too (pictures.h)
  bool operator==(const TensorInfo&) const = default;
};
struct Signature {
  std::vector<TensorInfo> inputs, outputs;
  bool operator==(const Signature&) const = default;
};

// Row-major. Elements are in `data` (little endian, aligned for their type), or, for BYTES, in
// `texts`, whose elements may hold any byte.
struct TensorView {
  std::string_view name;
  Datatype type = Datatype::fp32;
  std::vector<int64_t> shape;
  ByteView data;
  std::vector<std::string_view> texts;
};
struct Tensor {
  std::string name;
  Datatype type = Datatype::fp32;
  std::vector<int64_t> shape;
  RawBytes data;
  std::vector<std::string> texts;
};

// The product of a shape without -1; too_large over 2^40 elements or on a negative size
// (invalid_argument).
Result<uint64_t> element_count(const std::vector<int64_t>& shape);

// One loaded model; any number of threads may run it.
class Model {
 public:
  virtual ~Model() = default;
  virtual std::string_view platform() const = 0;  // of the engine that loaded it
  virtual const Signature& signature() const = 0;
  // Every input of the signature, each checked against it by the caller. `outputs` empty: all.
  // invalid_argument: the model refuses these values; internal.
  virtual Result<std::vector<Tensor>> run(const std::vector<TensorView>& inputs,
                                          const std::vector<std::string>& outputs) = 0;
};

// A model, and how its requests are best run; 0: no limit of its own.
struct Prepared {
  std::unique_ptr<Model> model;
  unsigned lanes = 0;  // runs at the same time
  uint64_t rows = 0;   // in a merged run
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::string_view platform() const = 0;  // "onnxruntime_onnx"
  // What load() would do once before its first model, where that is much. Blocking; unavailable.
  virtual Result<void> open() { return {}; }
  // Blocking. invalid_argument: not a model of this engine, with what is wrong; unsupported:
  // outputs that are no tensors.
  virtual Result<std::unique_ptr<Model>> load(const std::string& path) = 0;
  // As load(), for a file whose digest ("sha256:…") is known: as it was tuned for, where it was.
  virtual Result<Prepared> prepare(const std::string& path, const std::string& digest);
  // No model with this digest is left: what was made for it may go.
  virtual void forget(const std::string& /*digest*/) {}
};

}  // namespace holdfast::inference
