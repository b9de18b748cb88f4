// How far each upload's SHA-256 is, so that a finished upload need not be read again. A memory
// alone: what is not in it is computed from the stored parts.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "oci/digest.h"

namespace holdfast::registry {

// Any thread may call.
class UploadHashes {
 public:
  // Takes the hash out; nullopt where there is none that stands at `size`.
  std::optional<oci::DigestHasher> take(const std::string& upload, uint64_t size) {
    const std::lock_guard lock(mutex_);
    const auto found = hashes_.find(upload);
    std::optional<oci::DigestHasher> hasher;
    if (found != hashes_.end()) {
      if (found->second.size == size) hasher = std::move(found->second.hasher);
      hashes_.erase(found);
    }
    if (!hasher && size == 0) hasher.emplace();
    return hasher;
  }
  void keep(const std::string& upload, uint64_t size, oci::DigestHasher hasher) {
    const std::lock_guard lock(mutex_);
    if (hashes_.size() >= kMost) hashes_.erase(hashes_.begin());
    hashes_.insert_or_assign(upload, Standing{size, std::move(hasher)});
  }
  void drop(const std::string& upload) {
    const std::lock_guard lock(mutex_);
    hashes_.erase(upload);
  }

 private:
  static constexpr size_t kMost = 256;
  struct Standing {
    uint64_t size;
    oci::DigestHasher hasher;
  };
  std::mutex mutex_;
  std::map<std::string, Standing> hashes_;
};

}  // namespace holdfast::registry
