#include "base/files.h"
#include "oci/registry_client.h"

namespace holdfast::oci {

Digest MemoryRegistry::put_blob(std::string bytes) {
  const Digest digest = Digest::sha256(as_bytes(bytes));
  const std::lock_guard lock(mutex_);
  blobs_[digest.str()] = std::move(bytes);
  return digest;
}

Digest MemoryRegistry::put_manifest(const std::string& name, const std::string& tag,
                                    std::string json) {
  const Digest digest = Digest::sha256(as_bytes(json));
  const std::lock_guard lock(mutex_);
  manifests_[name + ":" + tag] = json;
  manifests_[name + "@" + digest.str()] = std::move(json);
  return digest;
}

void MemoryRegistry::fail_next(Error error) {
  const std::lock_guard lock(mutex_);
  failure_ = std::move(error);
}

uint64_t MemoryRegistry::blob_bytes() const {
  const std::lock_guard lock(mutex_);
  return given_;
}

std::optional<Error> MemoryRegistry::failing() {
  return std::exchange(failure_, std::nullopt);
}

Task<Result<FetchedManifest>> MemoryRegistry::manifest(Reference reference) {
  const std::lock_guard lock(mutex_);
  if (auto error = failing()) co_return std::unexpected(std::move(*error));
  const std::string key =
      reference.name + (reference.digest.empty() ? ":" : "@") + reference.manifest();
  const auto found = manifests_.find(key);
  if (found == manifests_.end()) co_return fail(Code::not_found, "there is no manifest " + key);
  co_return checked_manifest(found->second, "", reference.digest);
}

Task<Result<void>> MemoryRegistry::fetch_blob(std::string, Descriptor blob,
                                              std::filesystem::path into) {
  const std::lock_guard lock(mutex_);
  if (auto error = failing()) co_return std::unexpected(std::move(*error));
  const auto found = blobs_.find(blob.digest.str());
  if (found == blobs_.end())
    co_return fail(Code::not_found, "there is no blob " + blob.digest.str());
  if (found->second.size() != blob.size)
    co_return fail(Code::unavailable, "digest_mismatch", "the blob has another size");
  given_ += found->second.size();
  co_return replace_file(into, as_bytes(found->second));
}

}  // namespace holdfast::oci
