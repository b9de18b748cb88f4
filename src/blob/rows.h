// Rows of the blob tables as plain types. For blob/*.cc alone.
#pragma once

#include "blob/blobs.h"

namespace holdfast::blob {

std::string pairs_to_json(const Pairs& pairs);
Pairs pairs_from_json(std::string_view text);

struct FoundContainer {
  int64_t id = 0;
  Info info;
};
Result<FoundContainer> find_container(store::Tx& tx, std::string_view account,
                                      std::string_view name);

struct FoundBlob {
  store::ContentId content{};
  Info info;
};
std::unexpected<Error> blob_not_found(const BlobKey& key);
// nullopt where it is not there.
Result<std::optional<FoundBlob>> find_blob(store::Tx& tx, int64_t container, std::string_view name);
// Columns 0…: name, size, created, modified, etag, headers, metadata.
Info blob_info(const store::Row& row);

// The least text that is greater than every text with this prefix; empty where there is none.
std::string after_prefix(std::string prefix);

int64_t nanos(WallTime time);

}  // namespace holdfast::blob
