// The space that new bytes leave free, so that the database goes on to commit, contents can be
// deleted and segments moved together while the disk is full. Any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace holdfast {

class DiskSpace {
 public:
  // Of the file system of `directory`; at most a twentieth of it is kept.
  DiskSpace(std::string directory, uint64_t reserve)
      : directory_(std::move(directory)), reserve_(reserve) {}

  // unavailable "disk_full" where `bytes` more would go into the reserve.
  Result<void> has(uint64_t bytes) const;
  // What may still be written.
  uint64_t left() const;

 private:
  const std::string directory_;
  const uint64_t reserve_;
};

}  // namespace holdfast
