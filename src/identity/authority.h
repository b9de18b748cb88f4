// The local certificate authority: one P-256 key a data directory, from which every door with TLS
// gets its certificate. Profile: RFC 5280, as strict X.509 verifiers ask for it.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/tls.h"

namespace holdfast::identity {

struct Subject {
  std::string common_name;
  std::vector<std::string> names;      // DNS
  std::vector<std::string> addresses;  // IPv4 or IPv6, as text

  // A name or an address that clients may use, once; those that mean "any address" are left out.
  void add(const std::string& name_or_address);
};

struct Issued {
  std::string chain_pem;  // the leaf's certificate, then the authority's
  std::string key_pem;
  WallTime expires;
};

// Any thread may call.
class Authority {
 public:
  // Reads <directory>/ca.key and ca.crt, or makes them (mode 0600 and 0644) where there are none.
  // The directory must be there; `clock` must outlive it. internal where only one of the two is
  // there, or they do not belong together.
  static Result<std::unique_ptr<Authority>> open(std::string directory, const std::string& name,
                                                 const Clock& clock);
  ~Authority();

  // What clients trust.
  const std::string& certificate_pem() const { return certificate_pem_; }

  // A new key and its certificate for servers and clients, valid from five minutes ago.
  // invalid_argument on an address that is none, or a subject without any name.
  Result<Issued> issue(const Subject& subject, std::chrono::seconds lifetime) const;

  // A certificate that is kept as <directory>/<file>.crt and .key. It is issued anew when less than
  // a third of its year is left, or when the subject has changed.
  Result<Issued> kept(const std::string& file, const Subject& subject) const;
  // The TLS of a door with such a certificate.
  Result<std::shared_ptr<TlsContext>> server_tls(const std::string& file,
                                                 const Subject& subject) const;

 private:
  struct Openssl;
  Authority(std::string directory, const Clock& clock);

  std::string directory_;
  const Clock& clock_;
  std::string certificate_pem_;
  std::unique_ptr<Openssl> openssl_;
};

}  // namespace holdfast::identity
