// TLS of the gRPC door whose certificate may change: gRPC asks for it at each connection.
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <mutex>

#include "inference/grpc/door.h"

namespace holdfast::inference::grpc_door {
namespace {

class ChangingCredentials final : public grpc::ServerCredentials {
 public:
  explicit ChangingCredentials(GrpcOptions options) : options_(std::move(options)) {
    const bool asks = !options_.certificates()->client_ca_pem.empty();
    native_ = grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            asks ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                 : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
            fetch, this));
  }
  ~ChangingCredentials() override { grpc_server_credentials_release(native_); }
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), native_);
  }

  // gRPC keeps what it has where nothing is new, or what is new cannot be used.
  static grpc_ssl_certificate_config_reload_status fetch(
      void* self, grpc_ssl_server_certificate_config** into) {
    auto& of = *static_cast<ChangingCredentials*>(self);
    const auto now = of.options_.certificates();
    const std::lock_guard lock(of.mutex_);
    if (now == of.given_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const grpc_ssl_pem_key_cert_pair pair{now->key_pem.c_str(), now->certificate_pem.c_str()};
    // It wants some authority also where no client is asked for a certificate of it.
    const std::string& roots =
        now->client_ca_pem.empty() ? now->certificate_pem : now->client_ca_pem;
    *into = grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
    of.given_ = now;
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const GrpcOptions options_;
  grpc_server_credentials* native_ = nullptr;
  std::mutex mutex_;
  std::shared_ptr<const GrpcCertificates> given_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> credentials_of(const GrpcOptions& options) {
  if (!options.certificates) return grpc::InsecureServerCredentials();
  return std::make_shared<ChangingCredentials>(options);
}

}  // namespace holdfast::inference::grpc_door
