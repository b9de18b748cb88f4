// TLS contexts (OpenSSL 3; 1.2 and 1.3). The stream itself is inside net/.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"

namespace holdfast {

class TlsContext {
 public:
  // PEM texts; invalid_argument where they do not parse or match. With a `client_ca_pem`, who has
  // no certificate of it is not let in.
  static Result<std::shared_ptr<TlsContext>> server(std::string_view certificate_chain_pem,
                                                    std::string_view private_key_pem,
                                                    std::string_view client_ca_pem = "");
  // Trusts `ca_pem` alone, or the system's store where it is empty. Host names are always verified.
  // With a certificate and its key, servers that ask for one are shown it.
  static Result<std::shared_ptr<TlsContext>> client(std::string_view ca_pem,
                                                    std::string_view certificate_chain_pem = "",
                                                    std::string_view private_key_pem = "");
  // Every connection from now on is as of the other; those that are open stay as they are. Any
  // thread.
  void become(const TlsContext& other);
  std::shared_ptr<void> native() const;  // SSL_CTX, for net/ alone

 private:
  explicit TlsContext(std::shared_ptr<void> context) : context_(std::move(context)) {}
  mutable std::mutex mutex_;
  std::shared_ptr<void> context_;
};

}  // namespace holdfast
