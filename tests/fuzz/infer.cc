// Open Inference Protocol bodies against a model of one float and one text input. The first two
// bytes are the length of the JSON header.
#include <cstdlib>

#include "inference/http/codec.h"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const inference::Signature signature = [] {
    inference::Signature made;
    made.inputs.push_back({"x", inference::Datatype::fp32, {-1, 2}});
    made.inputs.push_back({"t", inference::Datatype::bytes, {-1}});
    return made;
  }();
  if (size < 2) return 0;
  const uint64_t header = data[0] | data[1] << 8;
  const std::string body(reinterpret_cast<const char*>(data + 2), size - 2);
  (void)inference::parse_infer(body, std::nullopt, signature);
  const auto parsed = inference::parse_infer(body, header, signature);
  if (!parsed) return 0;
  for (const auto& input : parsed->inputs) {  // every view lies inside what owns it
    uint64_t count = 1;
    for (const int64_t length : input.shape) count *= static_cast<uint64_t>(length);
    if (input.type == inference::Datatype::fp32 && input.data.size() != count * 4) std::abort();
    if (input.type == inference::Datatype::bytes && input.texts.size() != count) std::abort();
  }
  return 0;
}
