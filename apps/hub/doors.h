// The hub's HTTP doors: the API plain on loopback and over TLS, and blob storage.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "config.h"
#include "net/http/server.h"

namespace holdfast {

// TLS from the local CA in <data>/pki, which is made when a door first asks for it. Null where no
// door with TLS is configured.
Result<std::shared_ptr<TlsContext>> door_tls(const HubConfig& config, const Clock& clock);

class Doors {
 public:
  // The routers must outlive it.
  static Result<Doors> open(Runtime& runtime, const HubConfig& config,
                            std::shared_ptr<TlsContext> tls, const http::Router& api);
  // Blob storage, plain and over TLS. Whether it fails or not, stop() stops what is open.
  Result<void> open_blob(Runtime& runtime, const HubConfig& config, std::shared_ptr<TlsContext> tls,
                         const http::Router& blob);
  void stop();

  std::string http() const { return http_->address(); }
  std::string blob() const { return blob_->address(); }
  std::string https() const { return https_ ? https_->address() : ""; }  // "": closed
  std::string blob_https() const { return blob_https_ ? blob_https_->address() : ""; }  // the same

 private:
  std::unique_ptr<http::Server> http_, https_, blob_, blob_https_;
};

}  // namespace holdfast
