#include "identity/token_verifier.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "base/bytes.h"
#include "base/files.h"

namespace holdfast::identity {
namespace {

namespace json = boost::json;

constexpr int kPart = 32;  // bytes of r and of s

using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

std::unexpected<Error> refuse(const char* why) {
  return fail(Code::unauthenticated, std::string("the token is not valid: ") + why);
}

int64_t seconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace

Result<std::string> credential_of(std::string_view authorization) {
  const size_t blank = authorization.find(' ');
  const std::string_view scheme = authorization.substr(0, blank);
  const std::string_view rest =
      blank == std::string_view::npos ? "" : trim(authorization.substr(blank + 1));
  if (equal_ignore_case(scheme, "Bearer")) return std::string(rest);
  if (equal_ignore_case(scheme, "Basic")) {
    const auto pair = from_base64(rest);
    const size_t colon = pair ? pair->find(':') : std::string::npos;
    if (colon == std::string::npos) return refuse("Basic is not base64 of USER:TOKEN");
    return pair->substr(colon + 1);
  }
  return fail(
      Code::unauthenticated,
      "the Authorization header must be 'Bearer TOKEN', or Basic with the token as password");
}

Result<std::unique_ptr<TokenVerifier>> TokenVerifier::open(const std::string& key_file,
                                                           std::string issuer, const Clock& clock) {
  TRY(const std::string pem, read_file(key_file, 64 << 10));
  const std::unique_ptr<BIO, decltype(&BIO_free)> in(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  EVP_PKEY* key = PEM_read_bio_PUBKEY(in.get(), nullptr, nullptr, nullptr);
  if (key == nullptr || EVP_PKEY_get_bits(key) != 256) {
    EVP_PKEY_free(key);
    return fail(Code::invalid_argument, key_file + " is not a P-256 public key in PEM");
  }
  return std::make_unique<TokenVerifier>(key, std::move(issuer), clock);
}

TokenVerifier::TokenVerifier(void* key, std::string issuer, const Clock& clock)
    : key_(key), issuer_(std::move(issuer)), clock_(clock) {}

TokenVerifier::~TokenVerifier() {
  EVP_PKEY_free(static_cast<EVP_PKEY*>(key_));
}

Result<Claims> TokenVerifier::verify(std::string_view token) const {
  const auto parts = split(token, '.');
  if (parts.size() != 3 || token.size() > 8192) return refuse("not a JWT");
  auto head = from_base64_url(parts[0]), body = from_base64_url(parts[1]),
       signature = from_base64_url(parts[2]);
  if (!head || !body || !signature || signature->size() != 2 * kPart)
    return refuse("not a JWT of this issuer");
  boost::system::error_code error;
  const json::value header = json::parse(*head, error);
  const json::value* algorithm =
      !error && header.is_object() ? header.as_object().if_contains("alg") : nullptr;
  if (algorithm == nullptr || *algorithm != "ES256") return refuse("its algorithm is not ES256");
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(ECDSA_SIG_new(),
                                                                   &ECDSA_SIG_free);
  const auto* raw = reinterpret_cast<const unsigned char*>(signature->data());
  ECDSA_SIG_set0(pair.get(), BN_bin2bn(raw, kPart, nullptr),
                 BN_bin2bn(raw + kPart, kPart, nullptr));
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(pair.get(), &der);
  const Context context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, static_cast<EVP_PKEY*>(key_));
  const std::string_view text = token.substr(0, parts[0].size() + 1 + parts[1].size());
  const int right =
      EVP_DigestVerify(context.get(), der, static_cast<size_t>(size),
                       reinterpret_cast<const unsigned char*>(text.data()), text.size());
  OPENSSL_free(der);
  if (right != 1) return refuse("its signature is not this issuer's");
  const json::value value = json::parse(*body, error);
  if (error || !value.is_object()) return refuse("its claims are not JSON");
  const auto claim = [&](const char* name) -> std::string {
    const json::value* found = value.as_object().if_contains(name);
    return found != nullptr && found->is_string() ? std::string(found->as_string()) : std::string();
  };
  const json::value* expires = value.as_object().if_contains("exp");
  if (expires == nullptr || !expires->is_int64()) return refuse("it has no expiry");
  if (expires->as_int64() + 60 < seconds(clock_.now())) return refuse("it has expired");
  if (claim("iss") != issuer_ || claim("aud") != issuer_) return refuse("it is for another hub");
  return Claims{claim("sub"), claim("role"), WallTime(std::chrono::seconds(expires->as_int64()))};
}

}  // namespace holdfast::identity
