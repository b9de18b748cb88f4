// One file becomes one block blob.
#pragma once

#include <string>

#include "blob_client/blob_client.h"
#include "transfer/lanes.h"
#include "transfer/pieces.h"

namespace holdfast::transfer {

struct UploadOptions {
  uint64_t piece = kDefaultPiece;    // files up to here are sent in one piece
  unsigned parallel = 4;             // pieces on their way at once
  blob_client::BlobHeaders headers;  // content_md5 is found here
  Moved moved;
};
struct Uploaded {
  blob_client::Written written;
  uint64_t size = 0;
  uint64_t resumed = 0;  // bytes that an earlier run had brought there
  std::string md5;
};

// Sends the file; blocks that an earlier run left uncommitted are used again. What the service can
// answer, and: not_found, denied, invalid_argument (no regular file), conflict (changed) where the
// file changed meanwhile; nothing is committed then.
Task<Result<Uploaded>> upload_file(blob_client::BlobClient& client, std::string container,
                                   std::string blob, std::string path, UploadOptions options);

}  // namespace holdfast::transfer
