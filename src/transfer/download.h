// One blob becomes one file.
#pragma once

#include <filesystem>
#include <string>

#include "blob_client/blob_client.h"
#include "transfer/lanes.h"
#include "transfer/pieces.h"

namespace holdfast::transfer {

struct DownloadOptions {
  uint64_t piece = kDefaultPiece;
  unsigned parallel = 4;
  std::function<void(uint64_t size)> begin;  // once the size is known
  Moved moved;
};
struct Downloaded {
  blob_client::BlobProperties properties;
  uint64_t resumed = 0;  // bytes that an earlier run had fetched
};

// Fetches the blob into `target`, which appears when it is complete. What the service can answer,
// and: conflict where another run fetches it, precondition_failed where the blob changed
// meanwhile, internal (damaged) where what came has another MD5, and errors of files.
Task<Result<Downloaded>> download_blob(blob_client::BlobClient& client, std::string container,
                                       std::string blob, std::filesystem::path target,
                                       DownloadOptions options);

}  // namespace holdfast::transfer
