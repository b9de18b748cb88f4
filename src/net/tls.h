// TLS contexts (OpenSSL 3; 1.2 and 1.3). The stream itself is inside net/.
#pragma once

#include <memory>
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
  static Result<std::shared_ptr<TlsContext>> client(std::string_view ca_pem);
  ~TlsContext();
  void* native() const { return context_; }  // SSL_CTX*, for net/ alone

 private:
  explicit TlsContext(void* context) : context_(context) {}
  void* context_;
};

}  // namespace holdfast
