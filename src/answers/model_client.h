// Asks one model of holdfast-serve, over the Open Inference Protocol with binary inputs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "net/http/client.h"
#include "transform/tensor.h"

namespace holdfast::answers {

// What a tensor must look like to be asked about.
struct ModelInput {
  std::string name, datatype;  // "FP32"
  std::vector<int64_t> shape;  // -1: any
};

struct ModelAnswer {
  std::string version, digest;
  std::string
      outputs;  // JSON object text: shape [1] a scalar, [1, n] an array, more dimensions nested
};

// The shape to send for one row: with a leading 1 where the model has a batch dimension. conflict
// with reason model_mismatch, naming both sides, where the tensor does not fit.
Result<std::vector<int64_t>> fitted_shape(const ModelInput& input, transform::Type type,
                                          const std::vector<int64_t>& row_shape);
// The one input of a metadata document. conflict, reason model_mismatch: none or several inputs;
// internal: not such a document.
Result<ModelInput> read_metadata(std::string_view json);
// invalid_argument: not an answer.
Result<ModelAnswer> read_answer(std::string_view json);

// Any thread; the caller's executor. Failures: unavailable (no server, no such model yet, overload;
// ask again), timed_out, conflict with reason model_mismatch, invalid_argument (the server refuses
// this very input), internal (an answer that is none).
class ModelClient {
 public:
  // `server` "http://127.0.0.1:8000". `client` must outlive it.
  ModelClient(http::Client& client, std::string server, std::string model)
      : client_(client), server_(std::move(server)), model_(std::move(model)) {}

  Task<Result<ModelInput>> metadata();
  Task<Result<ModelAnswer>> ask(ModelInput input, const transform::Tensor& row);

 private:
  http::Client& client_;
  std::string server_, model_;
};

}  // namespace holdfast::answers
