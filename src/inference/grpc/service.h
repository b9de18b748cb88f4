// The gRPC door: the Open Inference Protocol's service with Triton's extensions, and gRPC's health
// checking, over the repository that the HTTP door uses.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "inference/repository.h"
#include "inference/traces/tracer.h"
#include "net/http/message.h"

namespace holdfast::inference {

struct GrpcCertificates {
  std::string certificate_pem, key_pem;
  std::string client_ca_pem;  // not empty: clients need a certificate of it
  bool operator==(const GrpcCertificates&) const = default;
};

struct GrpcOptions {
  std::string address = "127.0.0.1:8001";  // "HOST:PORT"; port 0 picks a free one
  std::string version;                     // of the program
  bool uploads = true;                     // whether models may be sent in
  uint64_t max_model = 2ull << 30;         // bytes
  int max_message = 64 << 20;              // bytes; RESOURCE_EXHAUSTED over it
  size_t max_memory = 512 << 20;           // of all messages on their way
  // Empty: plain. Else asked at each connection, on any thread: another one counts from then on,
  // but whether clients need a certificate is as at the start.
  std::function<std::shared_ptr<const GrpcCertificates>()> certificates;
  // Whose a call's `authorization` is ("": it has none); unauthenticated, denied. Empty: whoever
  // calls is an admin. Health is not asked for it.
  std::function<Result<http::Principal>(std::string_view authorization)> caller;
  Tracer* tracer = nullptr;  // null: nothing is traced
};

class GrpcServer {
 public:
  // Binds and serves at once. conflict: the address is in use; invalid_argument: it is none.
  // `runtime` and `repository` must outlive it.
  static Result<std::unique_ptr<GrpcServer>> start(Runtime& runtime, Repository& repository,
                                                   GrpcOptions options);
  ~GrpcServer();  // stop() must have finished

  std::string address() const;  // with the real port
  // Takes no more calls, ends waiting streams, lets requests under way end within `grace`, then
  // cancels; blocks until all have ended. The runtime must still run.
  void stop(std::chrono::milliseconds grace);

 private:
  struct State;
  explicit GrpcServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::inference
