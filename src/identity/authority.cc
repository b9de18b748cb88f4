#include "identity/authority.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "base/digest.h"
#include "base/files.h"

namespace holdfast::identity {
namespace {

using namespace std::chrono_literals;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

constexpr auto kAuthorityLife = std::chrono::hours(24 * 3650),
               kDoorLife = std::chrono::hours(24 * 365);
constexpr auto kSkew = 5min;  // of the clocks of those who check

std::unexpected<Error> broken(const std::string& what) {
  char text[256] = "";
  if (const unsigned long code = ERR_get_error(); code != 0)
    ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return fail(Code::internal, what + (*text != '\0' ? std::string(": ") + text : ""));
}

std::string text_of(BIO* bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  return std::string(text, static_cast<size_t>(size));
}

std::string pem(X509* certificate) {
  const Bio out(BIO_new(BIO_s_mem()), &BIO_free);
  PEM_write_bio_X509(out.get(), certificate);
  return text_of(out.get());
}

std::string pem(EVP_PKEY* key) {
  const Bio out(BIO_new(BIO_s_mem()), &BIO_free);
  PEM_write_bio_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return text_of(out.get());
}

Bio input(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free);
}

Certificate read_certificate(const std::string& text) {
  return Certificate(PEM_read_bio_X509(input(text).get(), nullptr, nullptr, nullptr), &X509_free);
}

Key read_key(const std::string& text) {
  return Key(PEM_read_bio_PrivateKey(input(text).get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
}

time_t seconds(WallTime time) {
  return std::chrono::system_clock::to_time_t(
      std::chrono::time_point_cast<std::chrono::system_clock::duration>(time));
}

bool extend(X509* certificate, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
  const bool added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

// A certificate for `key` with all but its extensions and signature. `issuer` null: its own.
Certificate draft(EVP_PKEY* key, const std::string& name, X509* issuer, WallTime from,
                  WallTime to) {
  Certificate made(X509_new(), &X509_free);
  X509_set_version(made.get(), 2);
  const std::string serial = random_bytes(16);
  const std::unique_ptr<BIGNUM, decltype(&BN_free)> number(
      BN_bin2bn(reinterpret_cast<const unsigned char*>(serial.data()), 16, nullptr), &BN_free);
  BN_clear_bit(number.get(), 127);  // positive in 16 octets
  BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(made.get()));
  ASN1_TIME_set(X509_getm_notBefore(made.get()), seconds(from));
  ASN1_TIME_set(X509_getm_notAfter(made.get()), seconds(to));
  X509_set_pubkey(made.get(), key);
  X509_NAME* subject = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.data()),
                             static_cast<int>(name.size()), -1, 0);
  X509_set_issuer_name(made.get(), issuer != nullptr ? X509_get_subject_name(issuer) : subject);
  return made;
}

// "DNS:a,IP:1.2.3.4"; every part is checked, since a comma would begin another one.
Result<std::string> alternative_names(const Subject& subject) {
  std::string out;
  for (const std::string& name : subject.names) {
    if (name.empty() ||
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-*") != std::string::npos)
      return fail(Code::invalid_argument, "'" + name + "' is not a lower-case host name");
    out += (out.empty() ? "DNS:" : ",DNS:") + name;
  }
  for (const std::string& address : subject.addresses) {
    ASN1_OCTET_STRING* parsed = a2i_IPADDRESS(address.c_str());
    if (parsed == nullptr)
      return fail(Code::invalid_argument, "'" + address + "' is not an IP address");
    ASN1_OCTET_STRING_free(parsed);
    out += (out.empty() ? "IP:" : ",IP:") + address;
  }
  if (out.empty()) return fail(Code::invalid_argument, "a certificate needs a name or an address");
  return out;
}

// What tells one subject from another in the kept file.
std::string label(const Subject& subject) {
  std::string out = subject.common_name;
  for (const auto& name : subject.names) out += "\nDNS:" + name;
  for (const auto& address : subject.addresses) out += "\nIP:" + address;
  return "# " + hex(as_bytes(hash(HashKind::sha256, as_bytes(out)))) + "\n";
}

WallTime expiry_of(X509* certificate) {
  tm parts{};
  ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts);
  return std::chrono::time_point_cast<WallTime::duration>(
      std::chrono::system_clock::from_time_t(timegm(&parts)));
}

}  // namespace

void Subject::add(const std::string& name_or_address) {
  if (name_or_address == "0.0.0.0" || name_or_address == "::") return;
  const bool address = name_or_address.find_first_not_of("0123456789.") == std::string::npos ||
                       name_or_address.find(':') != std::string::npos;
  auto& list = address ? addresses : names;
  if (std::ranges::find(list, name_or_address) == list.end()) list.push_back(name_or_address);
}

struct Authority::Openssl {
  Key key{nullptr, &EVP_PKEY_free};
  Certificate certificate{nullptr, &X509_free};
};

Authority::Authority(std::string directory, const Clock& clock)
    : directory_(std::move(directory)), clock_(clock), openssl_(std::make_unique<Openssl>()) {}
Authority::~Authority() = default;

Result<std::unique_ptr<Authority>> Authority::open(std::string directory, const std::string& name,
                                                   const Clock& clock) {
  std::unique_ptr<Authority> made(new Authority(std::move(directory), clock));
  const std::string key_file = made->directory_ + "/ca.key", file = made->directory_ + "/ca.crt";
  auto key_text = read_file(key_file, 64 << 10);
  if (!key_text && key_text.error().code() == Code::not_found) {
    const Key key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
    if (!key) return broken("cannot make a key");
    const Certificate root =
        draft(key.get(), name, nullptr, clock.now() - kSkew, clock.now() + kAuthorityLife);
    if (!extend(root.get(), root.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !extend(root.get(), root.get(), NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !extend(root.get(), root.get(), NID_subject_key_identifier, "hash") ||
        !extend(root.get(), root.get(), NID_authority_key_identifier, "keyid:always") ||
        X509_sign(root.get(), key.get(), EVP_sha256()) == 0)
      return broken("cannot make the authority's certificate");
    // The key last: without it the certificate is made anew.
    TRY_VOID(replace_file(file, as_bytes(pem(root.get())), 0644));
    key_text = pem(key.get());
    TRY_VOID(replace_file(key_file, as_bytes(*key_text), 0600));
  }
  if (!key_text) return std::unexpected(key_text.error());
  TRY(made->certificate_pem_, read_file(file, 64 << 10));
  made->openssl_->key = read_key(*key_text);
  made->openssl_->certificate = read_certificate(made->certificate_pem_);
  if (!made->openssl_->key || !made->openssl_->certificate ||
      X509_check_private_key(made->openssl_->certificate.get(), made->openssl_->key.get()) != 1)
    return broken(key_file + " and " + file + " do not belong together");
  return made;
}

Result<Issued> Authority::issue(const Subject& subject, std::chrono::seconds lifetime) const {
  TRY(const std::string names, alternative_names(subject));
  const Key key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  if (!key) return broken("cannot make a key");
  X509* issuer = openssl_->certificate.get();
  Issued out;
  out.expires = clock_.now() + lifetime;
  const Certificate leaf =
      draft(key.get(), subject.common_name, issuer, clock_.now() - kSkew, out.expires);
  if (!extend(leaf.get(), issuer, NID_basic_constraints, "critical,CA:FALSE") ||
      !extend(leaf.get(), issuer, NID_key_usage, "critical,digitalSignature") ||
      !extend(leaf.get(), issuer, NID_ext_key_usage, "serverAuth,clientAuth") ||
      !extend(leaf.get(), issuer, NID_subject_alt_name, names) ||
      !extend(leaf.get(), issuer, NID_subject_key_identifier, "hash") ||
      !extend(leaf.get(), issuer, NID_authority_key_identifier, "keyid:always") ||
      X509_sign(leaf.get(), openssl_->key.get(), EVP_sha256()) == 0)
    return broken("cannot issue a certificate");
  out.chain_pem = pem(leaf.get()) + certificate_pem_;
  out.key_pem = pem(key.get());
  return out;
}

Result<Issued> Authority::kept(const std::string& file, const Subject& subject) const {
  const std::string path = directory_ + "/" + file;
  auto chain = read_file(path + ".crt", 64 << 10), key = read_file(path + ".key", 64 << 10);
  if (chain && key && chain->starts_with(label(subject)) && chain->ends_with(certificate_pem_)) {
    const Certificate leaf = read_certificate(*chain);
    time_t renew = seconds(clock_.now() + kDoorLife / 3);
    if (leaf && X509_cmp_time(X509_get0_notAfter(leaf.get()), &renew) > 0 &&
        TlsContext::server(*chain, *key))
      return Issued{std::move(*chain), std::move(*key), expiry_of(leaf.get())};
  }
  TRY(Issued made, issue(subject, kDoorLife));
  TRY_VOID(replace_file(path + ".key", as_bytes(made.key_pem), 0600));
  TRY_VOID(replace_file(path + ".crt", as_bytes(label(subject) + made.chain_pem), 0644));
  return made;
}

Result<std::shared_ptr<TlsContext>> Authority::server_tls(const std::string& file,
                                                          const Subject& subject) const {
  TRY(const Issued made, kept(file, subject));
  return TlsContext::server(made.chain_pem, made.key_pem);
}

}  // namespace holdfast::identity
