// Copies from other servers, which go on after they were answered: in durable parts, over restarts.
// Until its end the destination is empty, says "pending", and is changed by nobody else.
#pragma once

#include <map>
#include <mutex>

#include "base/crc64.h"
#include "base/digest.h"
#include "blob/blobs.h"
#include "blob/sources.h"
#include "net/wake.h"

namespace holdfast::blob {

// A source as it was when the copy began.
struct CopySource {
  SourceRequest request;       // for the whole
  std::string shown;           // the URL without its query
  std::string etag, modified;  // as the source says it; "": it does not
  uint64_t size = 0;
  Pairs sums;  // wanted: Content-MD5, x-ms-content-crc64, as headers have them
};

struct PendingCopiesOptions {
  uint64_t part = 16 << 20;  // bytes that are made durable together
  unsigned at_once = 4;
  std::chrono::milliseconds first_pause{1000}, longest_pause{60'000};  // of a source not reached
  std::chrono::hours patience{14 * 24};                                // without one more byte
};

struct PendingCopy;

// Common failures: those of Blobs. Any thread.
class PendingCopies {
 public:
  // Both must outlive it.
  PendingCopies(Blobs& blobs, Sources& sources, PendingCopiesOptions options = {});
  ~PendingCopies();
  // The destination as it is at first; its copy's id is in `copy`. Reasons of Blobs::put_blob().
  Task<Result<Info>> start(BlobKey to, CopySource source, NewBlob wanted, Conditions conditions);
  // The destination stays, empty. conflict "no_pending_copy", "copy_id_mismatch".
  Task<Result<void>> abort(BlobKey key, std::string id, Conditions conditions);

  // Copies what is pending, until its task is cancelled; to be run once for each slot below
  // slots().
  Task<void> work(unsigned slot);
  unsigned slots() const { return options_.at_once; }

 private:
  // Of what has been fetched, so that it is read but once.
  struct Sums {
    Hasher md5{HashKind::md5};
    Crc64 crc;
    uint64_t bytes = 0;
    void add(ByteView more) {
      md5.update(more);
      crc.update(more);
      bytes += more.size();
    }
  };
  struct Known {  // beside the table, of this process alone
    bool running = false;
    std::shared_ptr<std::atomic<bool>> ended = std::make_shared<std::atomic<bool>>(false);
    unsigned tries = 0;
    MonoTime not_before{};
    Sums sums;  // of who runs it
  };
  class Claim;

  Task<Result<std::unique_ptr<Claim>>> claim(std::chrono::milliseconds& pause);
  Task<void> run(Claim& claim);
  Task<Result<void>> fetch(Known& known, PendingCopy& copy);
  Task<Result<void>> skip(Known& known, const PendingCopy& copy, ByteSource& from);
  Task<Result<void>> fetch_part(Known& known, PendingCopy& copy, ByteSource& from);
  Task<Result<void>> catch_up(Known& known, const PendingCopy& copy);
  Task<Result<void>> add_part(PendingCopy& copy, store::StagedContent staged);
  Task<Result<void>> complete(Known& known, const PendingCopy& copy);
  Task<Result<void>> give_up(const PendingCopy& copy, std::string why);
  void put_off(Known& known);

  Blobs& blobs_;
  Sources& sources_;
  const PendingCopiesOptions options_;
  std::vector<std::unique_ptr<Wake>> wakes_;  // one a slot
  std::mutex mutex_;
  std::map<std::string, Known> known_;  // by the copy's id
};

}  // namespace holdfast::blob
