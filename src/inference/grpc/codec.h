// The protocol's messages to tensors and back. Plain functions; sizes are checked before memory is
// allocated.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <optional>
#include <string>
#include <vector>

#include "inference.pb.h"
#include "inference/repository.h"

namespace holdfast::inference::grpc_door {

namespace pb = ::inference;

// The one table from codes to gRPC's.
grpc::Status to_status(const Error& error);

// What is said of bytes that are no message of the call's, with INVALID_ARGUMENT.
inline constexpr const char* kUnreadable = "the request's bytes are not a message of this call";
// A message from bytes, which are empty then. invalid_argument: it is none.
Result<void> read(grpc::ByteBuffer& bytes, google::protobuf::MessageLite& into);
void write(const google::protobuf::MessageLite& message, grpc::ByteBuffer& into);

struct Parsed {
  std::vector<TensorView> inputs;  // views into the message, or into `owned`
  std::vector<Bytes> owned;
  std::vector<std::string> outputs;  // empty: all
  std::vector<uint64_t> classes;     // an output's each; 0: no classification
  unsigned priority = 0;
  std::optional<int64_t> timeout_us;
  bool timing = false;  // whether the answer tells where its time went
};
// The message must outlive what is parsed. Checked against the signature: names, datatypes, shapes,
// sizes. invalid_argument, too_large; unsupported: shared memory.
Result<Parsed> parse(const pb::ModelInferRequest& request, const Signature& signature);

// invalid_argument: an output that cannot be classified as wanted.
Result<void> write(const Loaded& loaded, const pb::ModelInferRequest& request, const Parsed& parsed,
                   const std::vector<Tensor>& outputs, pb::ModelInferResponse& response);

}  // namespace holdfast::inference::grpc_door
