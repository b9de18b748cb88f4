// Messages of the gRPC door's ModelInfer to a model of floats, small integers and texts.
#include <cstdlib>

#include "inference/grpc/codec.h"

using namespace holdfast::inference;  // a bare "inference" is the protocol's package

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Signature signature = [] {
    Signature made;
    made.inputs.push_back({"x", Datatype::fp32, {-1, 2}});
    made.inputs.push_back({"i", Datatype::int8, {-1}});
    made.inputs.push_back({"t", Datatype::bytes, {-1}});
    made.outputs.push_back({"y", Datatype::fp32, {-1, 2}});
    return made;
  }();
  const grpc::Slice slice(data, size);
  grpc::ByteBuffer bytes(&slice, 1);
  grpc_door::pb::ModelInferRequest request;
  if (!grpc_door::read(bytes, request)) return 0;
  const auto parsed = grpc_door::parse(request, signature);
  if (!parsed) return 0;
  if (parsed->inputs.size() != signature.inputs.size()) std::abort();
  for (const auto& input : parsed->inputs) {  // every view is as long as its shape says
    uint64_t count = 1;
    for (const int64_t length : input.shape) count *= static_cast<uint64_t>(length);
    const uint64_t width = input.type == Datatype::fp32 ? 4 : 1;
    if (input.type != Datatype::bytes && input.data.size() != count * width) std::abort();
    if (input.type == Datatype::bytes && input.texts.size() != count) std::abort();
    volatile uint64_t sum = 0;  // read to the last byte, so that the sanitizer sees where each lies
    for (const std::byte byte : input.data) sum = sum + static_cast<uint8_t>(byte);
    for (const std::string_view text : input.texts)
      for (const char byte : text) sum = sum + static_cast<uint8_t>(byte);
  }
  return 0;
}
