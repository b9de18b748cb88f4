// A client of registries: manifests, and blobs into files with resume. The seam, the client over
// HTTP and a fake in memory. Source: OCI distribution-spec 1.1, "Pull".
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "net/http/client.h"
#include "net/runtime.h"
#include "oci/manifest.h"
#include "oci/reference.h"

namespace holdfast::oci {

struct FetchedManifest {
  std::string json;  // as it was pushed
  Manifest manifest;
  Descriptor descriptor;
};

// Common failures: not_found, unauthenticated, denied, unavailable, timed_out. Any thread.
class RegistryClient {
 public:
  virtual ~RegistryClient() = default;
  // The manifest of the reference's name (its host is not looked at), by digest or tag. Its bytes
  // are checked against the digest. unavailable "digest_mismatch": the registry gave others.
  virtual Task<Result<FetchedManifest>> manifest(Reference reference) = 0;
  // The blob at `into`, durable, with its size and digest checked; there whole or not at all. What
  // an interrupted call left in "<into>.part" is kept and continued. unavailable "digest_mismatch".
  // Calls for one `into` must not overlap.
  virtual Task<Result<void>> fetch_blob(std::string name, Descriptor blob,
                                        std::filesystem::path into) = 0;
};

struct RegistryClientOptions {
  std::string url;  // "https://hub.example:8443"
  // The Authorization header of each request; empty: none is sent. Any thread.
  std::function<Result<std::string>()> authorization;
  std::shared_ptr<TlsContext> tls;  // for https
};
// `pool` does the file work and must outlive it.
std::unique_ptr<RegistryClient> open_registry_client(RegistryClientOptions options,
                                                     BlockingPool& pool);

// Complete, in memory; for tests.
class MemoryRegistry final : public RegistryClient {
 public:
  Digest put_blob(std::string bytes);
  Digest put_manifest(const std::string& name, const std::string& tag, std::string json);
  void fail_next(Error error);  // the next call fails
  uint64_t blob_bytes() const;  // given out so far

  Task<Result<FetchedManifest>> manifest(Reference reference) override;
  Task<Result<void>> fetch_blob(std::string name, Descriptor blob,
                                std::filesystem::path into) override;

 private:
  std::optional<Error> failing();
  mutable std::mutex mutex_;
  std::map<std::string, std::string> blobs_;      // digest → bytes
  std::map<std::string, std::string> manifests_;  // "name:tag" and "name@digest" → JSON
  std::optional<Error> failure_;
  uint64_t given_ = 0;
};

// Bytes against the descriptor that asked for them.
Result<FetchedManifest> checked_manifest(std::string json, std::string_view content_type,
                                         const Digest& wanted);

}  // namespace holdfast::oci
