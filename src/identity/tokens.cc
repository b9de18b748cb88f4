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
constexpr int kPart = 32;  // bytes of r and of s

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

std::unexpected<Error> refuse(const char* why) {
  return fail(Code::unauthenticated, std::string("the token is not valid: ") + why);
}

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

Result<std::string> token_of(std::string_view header) {
  const size_t blank = header.find(' ');
  const std::string_view scheme = header.substr(0, blank);
  const std::string_view rest =
      blank == std::string_view::npos ? "" : trim(header.substr(blank + 1));
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

http::Authenticator TokenIssuer::authenticator() const {
  return [this](const http::Request& request) -> Result<http::Principal> {
    const auto header = request.headers.get("Authorization");
    if (!header) return http::Principal();
    TRY(const std::string token, token_of(*header));
    TRY(Claims claims, verify(token));
    return http::Principal{claims.subject, claims.role};
  };
}

}  // namespace holdfast::identity
