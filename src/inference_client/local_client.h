// A client of holdfast-serve's local door. One thread at a time. Failures: those that the server
// names, unavailable with the reason "local_door" where it is gone or not there.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/files.h"

namespace holdfast::inference_client {

// Memory that client and server share; unmapped, and taken from the server, by LocalClient alone.
class SharedMemory {
 public:
  SharedMemory(std::string name, std::span<std::byte> bytes)
      : name_(std::move(name)), bytes_(bytes) {}
  SharedMemory(SharedMemory&& other) noexcept
      : name_(std::move(other.name_)), bytes_(std::exchange(other.bytes_, {})) {}
  SharedMemory& operator=(SharedMemory&&) = delete;
  ~SharedMemory();
  const std::string& name() const { return name_; }  // for "shared_memory_region"
  std::span<std::byte> bytes() const { return bytes_; }

 private:
  std::string name_;
  std::span<std::byte> bytes_;
};

class LocalClient {
 public:
  // Does not wait: where the door's queue of newcomers is full it is unavailable. invalid_argument,
  // reason "local_door": a path of over 107 bytes.
  static Result<LocalClient> connect(const std::string& path);

  // The blocking calls.

  // `size` bytes that both may write: for outputs, and for inputs that change from call to call,
  // which the server copies before it uses them.
  Result<SharedMemory> share(const std::string& name, size_t size);
  // What nobody can change any more, so that the server uses it where it lies.
  Result<void> share_constant(const std::string& name, ByteView bytes);
  // Takes a name back; the memory of share() stays until it is destroyed.
  Result<void> forget(const std::string& name);

  // An infer request of the Open Inference Protocol with "model_name", and the answer's text. Both
  // have at most 64 KiB; larger tensors lie in regions.
  Result<std::string> infer(std::string_view request);

  // The same for programs with an event loop; nothing here waits. Each message has one answer, to
  // be taken by receive() when descriptor() has become readable, before the next one is sent;
  // unavailable with reason "not_yet": it was not there.
  int descriptor() const { return socket_.get(); }
  Result<SharedMemory> send_share(const std::string& name, size_t size);
  Result<void> send_infer(std::string_view request);
  Result<std::string> receive();

 private:
  explicit LocalClient(Fd socket) : socket_(std::move(socket)) {}
  Result<std::string> ask(std::string_view message, int passed = -1);
  Result<void> add(const std::string& name, const Fd& memory, size_t size);
  Result<void> send(std::string_view message, int passed);
  ssize_t take(int flags);  // into answer_; as recv()
  Result<std::string> answer_of(ssize_t size) const;

  Fd socket_;
  std::string answer_;
  bool eager_ = false;  // the last answer came within a moment
};

}  // namespace holdfast::inference_client
