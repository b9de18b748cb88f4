// Asks one model of holdfast-serve: through its local door where there is one, else over HTTP, with
// binary inputs of the Open Inference Protocol.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "answers/local_sessions.h"
#include "net/http/client.h"
#include "transform/tensor.h"

namespace holdfast::answers {

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

// Where the inference server is.
struct ModelServer {
  std::string url;    // "http://127.0.0.1:8000"
  std::string local;  // path of its local door's socket; empty: it is asked over HTTP alone
};

// On one executor, whose context must have one thread. Failures: unavailable (no server, no such
// model yet, overload; ask again), timed_out, conflict with reason model_mismatch, invalid_argument
// (the server refuses this very input), internal (an answer that is none).
class ModelClient {
 public:
  // `client` must outlive it.
  ModelClient(http::Client& client, ModelServer server, std::string model);

  Task<Result<ModelInput>> metadata();  // over HTTP
  // What the local door can not do, since nobody is there or the answer has more than 64 KiB, is
  // asked over HTTP.
  Task<Result<ModelAnswer>> ask(ModelInput input, const transform::Tensor& row);
  // "local" or "http": the way of the last answer; empty before it.
  std::string_view way() const { return way_; }

 private:
  Task<Result<ModelAnswer>> ask_locally(ModelInput input, std::vector<int64_t> shape,
                                        const transform::Tensor& row);
  Task<Result<ModelAnswer>> ask_over_http(ModelInput input, std::vector<int64_t> shape,
                                          const transform::Tensor& row);
  void went(std::string_view way, const std::string& why);

  http::Client& client_;
  std::string server_, model_;
  std::optional<LocalSessions> local_;
  std::string large_;  // digest of the model whose answers the local door can not carry
  std::string_view way_;
};

}  // namespace holdfast::answers
