// The checksums that go with stored bytes. For store/objects alone.
//
// A content in a segment has one CRC-64/NVME, in its row. A file of its own has one for each block
// of 64 KiB, in a table behind the last byte (8 bytes each, little end first); the table's own
// CRC-64 is in the row.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/crc64.h"
#include "base/files.h"

namespace holdfast::store {

constexpr uint64_t kBlock = 64 << 10;

constexpr uint64_t blocks_of(uint64_t size) {
  return (size + kBlock - 1) / kBlock;
}

// Fills the table while the bytes go by.
class BlockSums {
 public:
  void add(ByteView bytes);
  std::string finish();  // the table; nothing may be added after it

 private:
  void close();
  Crc64 crc_;
  uint64_t filled_ = 0;
  std::string table_;
};

// The block's entry of a table.
uint64_t table_entry(std::string_view table, uint64_t block);

struct BadBlock {
  uint64_t block = 0;
  bool readable = true;  // false: a sector that can not be read, or a file that is cut
};
// The first of the blocks from `first` to `last` that has not the sum of the table; nullopt: all
// have. Through a mapping, so that the pages are those that sendfile then sends. `size` is the
// content's. Blocking.
Result<std::optional<BadBlock>> bad_block(int fd, uint64_t size, std::string_view table,
                                          uint64_t first, uint64_t last);

// Calls `work` so that a page of a mapping that can not be read makes it end, with false, and not
// the process. `work` must own nothing: no destructor runs.
bool survive_bus_error(void (*work)(void*), void* argument);

}  // namespace holdfast::store
