// Bytes on their way in, and the rows that they become. For registry/*.cc alone.
#pragma once

#include "net/byte_stream.h"
#include "oci/digest.h"
#include "store/objects/object_store.h"

namespace holdfast::registry {

// All of `bytes`, into the hash (where there is one) and the writer. Returns how many.
Task<Result<uint64_t>> stream_in(ByteSource& bytes, oci::DigestHasher* hasher,
                                 store::ContentWriter& writer);
// invalid_argument "digest_invalid".
Result<void> check_digest(oci::DigestHasher& hasher, const oci::Digest& wanted);

// The content becomes the blob and a member of the repository. Takes over the caller's reference;
// where the digest is there already, it is released.
Result<void> add_blob(store::Tx& tx, store::ObjectStore& objects, int64_t repository,
                      const oci::Digest& digest, store::ContentId content, uint64_t size,
                      int64_t now);
// The session and its parts.
Result<void> drop_upload(store::Tx& tx, store::ObjectStore& objects, std::string_view id);

}  // namespace holdfast::registry
