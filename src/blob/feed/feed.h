// The change feed: what happened to an account's blobs, as Avro files in its container
// $blobchangefeed, made of the outbox.
#pragma once

#include <string>

#include "blob/blobs.h"
#include "events/wire.h"
#include "net/wake.h"

namespace holdfast::blob {

// step() and run(): one task at a time.
class ChangeFeed {
 public:
  static constexpr std::string_view kConsumer = "$changefeed";  // must be registered before

  ChangeFeed(Blobs& blobs, events::Origins origins, std::chrono::milliseconds every)
      : blobs_(blobs), origins_(std::move(origins)), every_(every) {}

  // Writes what is new of every account that has a feed, and how far it is, in one transaction;
  // drops what is older than its retention. Whether there may be more at once.
  Task<Result<bool>> step();
  Task<void> run();  // until it is cancelled

 private:
  struct File;
  Result<void> write(store::Tx& tx, const std::vector<File>& files, int64_t done);
  Task<Result<void>> drop_old();

  Blobs& blobs_;
  const events::Origins origins_;
  const std::chrono::milliseconds every_;
  WallTime dropped_;  // when it was last looked for what is too old
};

}  // namespace holdfast::blob
