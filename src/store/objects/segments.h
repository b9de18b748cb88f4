// Append-only segment files for small contents. For store/objects alone. Any thread may call.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "store/objects/object_store.h"
#include "store/objects/segment_file.h"

namespace holdfast::store {

class Segments : public std::enable_shared_from_this<Segments> {  // by make_shared
 public:
  // Continues after `last`, the highest number ever used: the tail of an older segment is never
  // written again.
  Segments(std::string directory, uint64_t limit, int64_t last);

  // Gives the bytes their place. They are written when that is asked for, together with all that
  // wait, by one write and one sync; not at all where nobody holds what this returns any more.
  StagedContent append(std::string bytes);
  // not_found where the file is gone.
  Result<std::shared_ptr<Fd>> file(int64_t number);
  // Deletes the file where nothing staged lately is in it and it is not the current one; open
  // descriptors go on. False: it stays, and is reclaimed at the next open.
  bool remove(int64_t number);
  int64_t current() const;

  static std::string name_of(int64_t number);  // "0000000042.seg"

 private:
  struct Piece;
  using Pieces = std::vector<std::shared_ptr<Piece>>;
  Result<void> write(const Piece& wanted);
  Pieces take_waiting();
  Result<void> write_all(const Pieces& pieces);
  Result<void> begin_segment(int64_t number);

  const std::string directory_;
  const uint64_t limit_;
  mutable std::mutex mutex_;
  std::map<int64_t, std::shared_ptr<Fd>> open_;  // bounded: see file()
  // When bytes were last staged in a segment: between finish() and add() no row protects them yet.
  std::map<int64_t, std::chrono::steady_clock::time_point> staged_at_;
  int64_t number_;
  uint64_t end_;  // of the segment `number_`, with what waits
  std::vector<std::weak_ptr<Piece>> waiting_;
  std::condition_variable written_;
  bool writing_ = false;               // a thread does; what follows is its own
  std::unique_ptr<SegmentFile> file_;  // of `file_number_`
  int64_t file_number_ = 0;
};

}  // namespace holdfast::store
