// For tests: a router served on loopback, and one call to fetch from it.
#pragma once

#include <memory>
#include <string>

#include "net/http/client.h"
#include "net/http/server.h"

namespace holdfast::http {

// Serves `router` until destroyed; the router must outlive it.
class LoopbackServer {
 public:
  explicit LoopbackServer(const Router& router, ServerOptions options = {});
  ~LoopbackServer();
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;
  std::string url(std::string_view target = "") const;  // http(s)://127.0.0.1:port + target
  Server& server() { return *server_; }
  Runtime& runtime() { return runtime_; }

 private:
  Runtime runtime_{2};
  bool tls_;
  std::unique_ptr<Server> server_;
};

// Runs one request on a context of its own; aborts the test program's expectation by an error
// Result.
Result<Client::Whole> fetch(ClientRequest request, ClientOptions options = {});
// Sends bytes as they are and returns all that comes until the server closes or `seconds` pass.
std::string exchange_raw(uint16_t port, std::string_view bytes, int seconds = 60);
// Sends them and breaks the connection off with a reset.
void send_and_reset(uint16_t port, std::string_view bytes);

// Gives `bytes` and then fails with `error`.
class FailingSource final : public ByteSource {
 public:
  FailingSource(std::string bytes, Error error)
      : good_(std::move(bytes)), error_(std::move(error)) {}
  Task<Result<size_t>> read(std::span<std::byte> into) override;

 private:
  MemorySource good_;
  Error error_;
};

}  // namespace holdfast::http
