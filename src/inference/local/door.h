// The local door: a Unix socket over which programs of this machine ask models without copying
// tensors through it. Tensors lie in memory that the client passes (regions.h); the messages are
// the Open Inference Protocol's JSON with Triton's shared-memory parameters. docs/inference.md has
// the protocol.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "inference/repository.h"
#include "inference/traces/tracer.h"
#include "net/runtime.h"

namespace holdfast::inference {

struct LocalOptions {
  std::string path;             // of the socket
  std::vector<uint32_t> users;  // who may come in besides the server's own user, by number
  size_t max_clients = 64;
  Tracer* tracer = nullptr;  // null: nothing is traced
};

class LocalDoor {
 public:
  // Listens at once. invalid_argument: a path of over 107 bytes; conflict: another server is there.
  // `runtime` and `repository` must outlive it.
  static Result<std::unique_ptr<LocalDoor>> start(Runtime& runtime, Repository& repository,
                                                  LocalOptions options);
  ~LocalDoor();  // stop() must have finished
  // Takes no more requests, waits for those under way, and removes the socket.
  void stop();

 private:
  struct State;
  explicit LocalDoor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::inference
