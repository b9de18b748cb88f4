// Asks models through the local door of a holdfast-serve on this machine: tensors are written into
// memory that both have, once; the socket carries a few hundred bytes. docs/inference.md has the
// protocol.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "net/task.h"
#include "transform/tensor.h"

namespace holdfast::answers {

// What a tensor must look like to be asked about.
struct ModelInput {
  std::string name, datatype;  // "FP32"
  std::vector<int64_t> shape;  // -1: any
};

// Everything on one executor, whose context must have one thread; outlives its callers' tasks.
class LocalSessions {
 public:
  explicit LocalSessions(std::string path,
                         std::chrono::milliseconds limit = std::chrono::seconds(30));
  ~LocalSessions();

  // The answer's text, at most 64 KiB. A session is a connection with memory of its own, made when
  // it is needed and kept; one that a restarted server has cut is made anew. unavailable with
  // reason "local_door": nobody is there or it broke off; with "local_busy": all
  // sessions are in use; timed_out: no answer within the limit; too_large: the answer; else what
  // the server says.
  Task<Result<std::string>> infer(std::string model, ModelInput input, std::vector<int64_t> shape,
                                  const transform::Tensor& row);

 private:
  struct Session;
  using SessionPtr = std::shared_ptr<Session>;
  Task<Result<SessionPtr>> take(size_t size);
  Task<Result<std::string>> exchange(const std::string& request, const Bytes& tensor);
  Task<Result<std::string>> answer_of(SessionPtr session) const;

  const std::string path_;
  const std::chrono::milliseconds limit_;
  size_t open_ = 0;
  std::vector<SessionPtr> idle_;
};

}  // namespace holdfast::answers
