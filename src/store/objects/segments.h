// Append-only segment files for small contents. For store/objects alone. Any thread may call.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "store/group_sync.h"
#include "store/objects/object_store.h"
#include "store/objects/segment_file.h"

namespace holdfast::store {

class Segments {
 public:
  // Continues after `last`, the highest number ever used: the tail of an older segment is never
  // written again.
  Segments(std::string directory, uint64_t limit, int64_t last);

  // Durable when it returns.
  Task<Result<StagedContent>> append(std::string bytes);
  // not_found where the file is gone.
  Result<std::shared_ptr<Fd>> file(int64_t number);
  // Deletes the file where nothing staged lately is in it and it is not the current one; open
  // descriptors go on. False: it stays, and is reclaimed at the next open.
  bool remove(int64_t number);
  int64_t current() const;

  static std::string name_of(int64_t number);  // "0000000042.seg"

 private:
  struct Piece {
    std::string bytes;
    StagedContent staged;
  };
  Result<void> write_group(std::vector<std::unique_ptr<Piece>>& pieces);
  Result<void> write_out();
  Result<void> next_segment();

  const std::string directory_;
  const uint64_t limit_;
  mutable std::mutex mutex_;
  std::map<int64_t, std::shared_ptr<Fd>> open_;  // bounded: see file()
  // When bytes were last staged in a segment: between finish() and add() no row protects them yet.
  std::map<int64_t, std::chrono::steady_clock::time_point> staged_at_;
  int64_t number_;
  std::unique_ptr<SegmentFile> writing_;  // the writer's thread alone
  GroupWriter<Piece> writer_;
};

}  // namespace holdfast::store
