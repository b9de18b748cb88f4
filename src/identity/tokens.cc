#include "identity/tokens.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/digest.h"
#include "base/files.h"
#include "identity/named_uuid.h"

namespace holdfast::identity {
namespace {

namespace json = boost::json;

constexpr std::string_view kHead = R"({"alg":"ES256","typ":"JWT"})";
constexpr int kPart = 32;  // bytes of r and of s, as token_verifier.cc wants them

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

Result<std::string> new_key(const std::string& path) {
  const Key key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
  if (!key ||
      PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return fail(Code::internal, "cannot make a key");
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  std::string pem(text, static_cast<size_t>(size));
  TRY_VOID(replace_file(path, as_bytes(pem), 0600));
  return pem;
}

int64_t seconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace

Result<std::unique_ptr<TokenIssuer>> TokenIssuer::open(const std::string& key_file,
                                                       std::string issuer, const Clock& clock) {
  auto pem = read_file(key_file, 64 << 10);
  if (!pem && pem.error().code() == Code::not_found) pem = new_key(key_file);
  if (!pem) return std::unexpected(pem.error());
  const std::unique_ptr<BIO, decltype(&BIO_free)> in(
      BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size())), &BIO_free);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr);
  if (key == nullptr || EVP_PKEY_get_bits(key) != 256) {
    EVP_PKEY_free(key);
    return fail(Code::invalid_argument, key_file + " is not a P-256 private key in PEM");
  }
  return std::unique_ptr<TokenIssuer>(new TokenIssuer(key, std::move(issuer), clock));
}

TokenIssuer::TokenIssuer(void* key, std::string issuer, const Clock& clock)
    : key_(key), issuer_(std::move(issuer)), clock_(clock) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(static_cast<EVP_PKEY*>(key_), &der);
  std::string text = size < 0
                         ? std::string()
                         : std::string(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  tenant_ = named_uuid(text);
  verifier_ =
      std::make_unique<TokenVerifier>(EVP_PKEY_dup(static_cast<EVP_PKEY*>(key_)), issuer_, clock_);
}

TokenIssuer::~TokenIssuer() {
  EVP_PKEY_free(static_cast<EVP_PKEY*>(key_));
}

std::string TokenIssuer::issue(const Claims& claims) const {
  json::object body;
  body["iss"] = issuer_;
  body["aud"] = issuer_;
  body["sub"] = claims.subject;
  body["role"] = claims.role;
  body["iat"] = seconds(clock_.now());
  body["exp"] = seconds(claims.expires);
  body["jti"] = random_uuid();
  const std::string text =
      base64_url(as_bytes(kHead)) + "." + base64_url(as_bytes(json::serialize(body)));
  const Context context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  unsigned char der[128];
  size_t size = sizeof der;
  EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, static_cast<EVP_PKEY*>(key_));
  EVP_DigestSign(context.get(), der, &size, reinterpret_cast<const unsigned char*>(text.data()),
                 text.size());
  // JWS wants r and s as 32 bytes each, OpenSSL gives DER.
  const unsigned char* at = der;
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(
      d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)), &ECDSA_SIG_free);
  std::string raw(2 * kPart, '\0');
  BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), reinterpret_cast<unsigned char*>(raw.data()), kPart);
  BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), reinterpret_cast<unsigned char*>(raw.data()) + kPart,
               kPart);
  return text + "." + base64_url(as_bytes(raw));
}

Result<Claims> TokenIssuer::verify(std::string_view token) const {
  return verifier_->verify(token);
}

http::Authenticator TokenIssuer::authenticator() const {
  return [this](const http::Request& request) -> Result<http::Principal> {
    const auto header = request.headers.get("Authorization");
    if (!header) return http::Principal();
    TRY(const std::string token, credential_of(*header));
    TRY(Claims claims, verify(token));
    return http::Principal{claims.subject, claims.role};
  };
}

}  // namespace holdfast::identity
