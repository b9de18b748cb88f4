// What lies under a prefix of a container at one moment, by content: for services that hold on to
// blobs' bytes beyond their names. Inside the caller's transaction on the blobs' own database.
#pragma once

#include "blob/types.h"
#include "store/objects/object_store.h"

namespace holdfast::blob {

struct HeldBlob {
  std::string name;
  store::ContentId content{};
  uint64_t size = 0;
  uint64_t etag = 0;
};

// In the order of their names. not_found "container_not_found"; too_large over `limit` blobs;
// unsupported where one is a page blob.
Result<std::vector<HeldBlob>> contents_under(store::Tx& tx, std::string_view account,
                                             std::string_view container, const std::string& prefix,
                                             size_t limit);

}  // namespace holdfast::blob
