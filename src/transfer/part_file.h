// A file that arrives in pieces, in any order, over several runs. It is hidden beside its target,
// with a list of the pieces that are on disk, until all are there. Blocking; one thread at a time.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/files.h"

namespace holdfast::transfer {

class PartFile {
 public:
  // Goes on with what an earlier run left, where it was the same content (`etag`, `size`, `piece`);
  // otherwise begins anew. conflict: another run has it open.
  static Result<PartFile> open(const std::filesystem::path& target, const std::string& etag,
                               uint64_t size, uint64_t piece);

  bool has(uint64_t index) const { return done_[index]; }
  uint64_t bytes() const;  // of the pieces that it has
  Result<void> write(ByteView bytes, uint64_t offset);
  // The piece is whole: it is synced, and then noted.
  Result<void> finish_piece(uint64_t index);
  // Checks the MD5 (base64; empty: none to check), syncs and renames. internal (damaged) where the
  // MD5 is another; nothing is left then.
  Result<void> become_target(const std::string& md5);

 private:
  PartFile(std::filesystem::path target, uint64_t size, uint64_t piece);
  Result<void> begin(const std::string& head);
  void read_list(const std::string& text);

  std::filesystem::path target_, path_, list_path_;
  uint64_t size_, piece_;
  Fd fd_, list_;
  std::vector<bool> done_;
};

}  // namespace holdfast::transfer
