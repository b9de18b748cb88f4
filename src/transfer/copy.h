// One blob becomes another, at the same service or at any other.
#pragma once

#include <string>

#include "blob_client/blob_client.h"
#include "transfer/lanes.h"
#include "transfer/pieces.h"

namespace holdfast::transfer {

struct BlobAt {
  BlobAt(blob_client::BlobClient& client_, std::string container_, std::string blob_)
      : client(client_), container(std::move(container_)), blob(std::move(blob_)) {}
  blob_client::BlobClient& client;
  std::string container, blob;
};
struct CopyOptions {
  // The source for the target's service, with what lets it read; empty: it is not asked to.
  std::string source_url;
  uint64_t piece = kDefaultPiece;
  unsigned parallel = 4;
  std::function<void(uint64_t size)> begin;
  Moved moved;
};
struct Copied {
  uint64_t size = 0;
  bool by_service = false;  // no byte came through here
  uint64_t resumed = 0;     // bytes that an earlier run had brought there
};

// The target's service copies where it may read the source; where it may not, the bytes come
// through here in pieces, at most `parallel` of them in memory. What both services can answer;
// precondition_failed where the source changed meanwhile; internal (copy_failed).
Task<Result<Copied>> copy_blob(BlobAt from, BlobAt to, CopyOptions options);

}  // namespace holdfast::transfer
