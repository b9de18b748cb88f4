// For tests: a Client joined to a Handler in memory, without sockets; both ends are complete.
#pragma once

#include <memory>
#include <string>

#include "net/mqtt/client.h"
#include "net/mqtt/session.h"

namespace holdfast::mqtt {

// A Client whose server is `handler` itself. Host, port and TLS of the options do not matter.
// Besides the Client's calls: cut() loses the connection (messages in flight are sent again after
// restore()), and nothing reconnects before restore().
class MemoryClient : public Client {
 public:
  virtual void cut() = 0;
  virtual void restore() = 0;
};
// `handler` must outlive it.
std::unique_ptr<MemoryClient> make_memory_client(Executor executor, ClientOptions options,
                                                 Handler& handler);

}  // namespace holdfast::mqtt
