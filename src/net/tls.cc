#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <memory>

namespace holdfast {
namespace {

std::string openssl_error(std::string_view what) {
  char text[256] = "unknown";
  if (const unsigned long code = ERR_get_error(); code != 0)
    ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return std::string(what) + ": " + text;
}

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Bio memory(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free);
}

void common(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  // An idle connection then keeps no record buffers: most of the memory of one.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

// Every certificate of the text is trusted.
Result<void> trust(SSL_CTX* context, std::string_view pem) {
  const Bio text = memory(pem);
  bool any = false;
  while (true) {
    Certificate certificate(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr), &X509_free);
    if (!certificate) break;
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate.get());
    any = true;
  }
  ERR_clear_error();
  if (!any) return fail(Code::invalid_argument, "CA: no PEM certificate in it");
  return {};
}

// The leaf's certificate, those between it and the authority, and its key.
Result<void> show(SSL_CTX* context, std::string_view chain_pem, std::string_view key_pem) {
  const Bio chain = memory(chain_pem);
  bool first = true;
  while (true) {
    Certificate certificate(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr), &X509_free);
    if (!certificate) break;
    const int ok = first ? SSL_CTX_use_certificate(context, certificate.get())
                         : SSL_CTX_add1_chain_cert(context, certificate.get());
    if (ok != 1) return fail(Code::invalid_argument, openssl_error("certificate"));
    first = false;
  }
  ERR_clear_error();
  if (first) return fail(Code::invalid_argument, "certificate: no PEM certificate in it");
  const Bio key_text = memory(key_pem);
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
  if (!key || SSL_CTX_use_PrivateKey(context, key.get()) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    return fail(Code::invalid_argument, openssl_error("private key"));
  }
  return {};
}

std::shared_ptr<SSL_CTX> make(const SSL_METHOD* method) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(method), &SSL_CTX_free);
  common(context.get());
  return context;
}

}  // namespace

void TlsContext::become(const TlsContext& other) {
  auto context = other.native();
  const std::lock_guard lock(mutex_);
  context_.swap(context);
}

std::shared_ptr<void> TlsContext::native() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

Result<std::shared_ptr<TlsContext>> TlsContext::server(std::string_view certificate_chain_pem,
                                                       std::string_view private_key_pem,
                                                       std::string_view client_ca_pem) {
  const auto context = make(TLS_server_method());
  SSL_CTX_set_options(context.get(), SSL_OP_ENABLE_KTLS);  // where the kernel has it
  TRY_VOID(show(context.get(), certificate_chain_pem, private_key_pem));
  std::shared_ptr<TlsContext> made(new TlsContext(context));
  if (client_ca_pem.empty()) return made;
  TRY_VOID(trust(context.get(), client_ca_pem));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  // Without one, OpenSSL refuses to resume the sessions of verified clients.
  static constexpr unsigned char kSession[] = "holdfast";
  SSL_CTX_set_session_id_context(context.get(), kSession, sizeof kSession - 1);
  return made;
}

Result<std::shared_ptr<TlsContext>> TlsContext::client(std::string_view ca_pem,
                                                       std::string_view certificate_chain_pem,
                                                       std::string_view private_key_pem) {
  const auto context = make(TLS_client_method());
  std::shared_ptr<TlsContext> made(new TlsContext(context));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (!certificate_chain_pem.empty()) {
    TRY_VOID(show(context.get(), certificate_chain_pem, private_key_pem));
  }
  if (!ca_pem.empty()) {
    TRY_VOID(trust(context.get(), ca_pem));
  } else if (SSL_CTX_set_default_verify_paths(context.get()) != 1) {
    return fail(Code::internal, openssl_error("trust store"));
  }
  return made;
}

}  // namespace holdfast
