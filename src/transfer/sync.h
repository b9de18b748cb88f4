// Many files or blobs at once: everything that a plan says, several at a time.
#pragma once

#include <string>
#include <vector>

#include "blob_client/blob_client.h"
#include "transfer/lanes.h"
#include "transfer/pieces.h"
#include "transfer/plan.h"

namespace holdfast::transfer {

// The blobs below a prefix ("" or "a/"), ordered, named without it.
Task<Result<std::vector<Entry>>> list_entries(blob_client::BlobClient& client,
                                              std::string container, std::string prefix);

// How one pair of sides does what a plan says.
class Sides {
 public:
  virtual ~Sides() = default;
  virtual Task<Result<void>> send(Entry entry, Moved moved) = 0;
  virtual Task<Result<void>> remove(Entry entry) = 0;
  // Whether both hold the same, of a step that says `compare`.
  virtual Task<Result<bool>> same(Step step) = 0;
};

struct SyncOptions {
  unsigned parallel = 4;  // files at once
  Moved moved;
};
struct Failure {
  Failure(std::string name_, Error error_) : name(std::move(name_)), error(std::move(error_)) {}
  std::string name;
  Error error;
};
struct SyncOutcome {
  uint64_t sent = 0, bytes = 0, same = 0, removed = 0;
  std::vector<Failure> failed;  // a run ends early where the service is gone or refuses all
  bool ended_early = false;
};
// Nothing is removed after a failure: the rest of the source may not have arrived.
Task<SyncOutcome> run_sync(Sides& sides, Plan plan, SyncOptions options);

}  // namespace holdfast::transfer
