#include "store/objects/checksums.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstring>
#include <mutex>

namespace holdfast::store {
namespace {

thread_local sigjmp_buf* rescue = nullptr;
struct sigaction before;

void on_bus_error(int number, siginfo_t* info, void* context) {
  if (rescue != nullptr) ::siglongjmp(*rescue, 1);
  // Not ours: as it would have been.
  if ((before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction != nullptr)
    return before.sa_sigaction(number, info, context);
  ::signal(number, SIG_DFL);
  ::raise(number);
}

void install() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action{};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;  // it is left by a jump
    ::sigaction(SIGBUS, &action, &before);
  });
}

struct Walk {
  const std::byte* bytes;
  uint64_t size;
  std::string_view table;
  uint64_t at;  // the block
  bool bad;
};

void walk(void* argument) {
  Walk& w = *static_cast<Walk*>(argument);
  for (uint64_t done = 0; done < w.size; done += kBlock, ++w.at) {
    const ByteView block(w.bytes + done, std::min(kBlock, w.size - done));
    if (Crc64::of(block) != table_entry(w.table, w.at)) {
      w.bad = true;
      return;
    }
  }
}

}  // namespace

bool survive_bus_error(void (*work)(void*), void* argument) {
  install();
  sigjmp_buf here;
  sigjmp_buf* const outer = rescue;
  if (sigsetjmp(here, 0) != 0) {
    rescue = outer;
    return false;
  }
  rescue = &here;
  work(argument);
  rescue = outer;
  return true;
}

void BlockSums::add(ByteView bytes) {
  while (!bytes.empty()) {
    const ByteView part = bytes.first(std::min<uint64_t>(bytes.size(), kBlock - filled_));
    crc_.update(part);
    filled_ += part.size();
    bytes = bytes.subspan(part.size());
    if (filled_ == kBlock) close();
  }
}

void BlockSums::close() {
  const uint64_t value = crc_.value();
  for (unsigned i = 0; i < 8; ++i) table_ += static_cast<char>(value >> (8 * i));
  crc_ = Crc64();
  filled_ = 0;
}

std::string BlockSums::finish() {
  if (filled_ > 0) close();
  return std::move(table_);
}

uint64_t table_entry(std::string_view table, uint64_t block) {
  uint64_t value = 0;
  for (unsigned i = 0; i < 8; ++i)
    value |= static_cast<uint64_t>(static_cast<uint8_t>(table[block * 8 + i])) << (8 * i);
  return value;
}

Result<std::optional<BadBlock>> bad_block(int fd, uint64_t size, std::string_view table,
                                          uint64_t first, uint64_t last) {
  const uint64_t begin = first * kBlock, end = std::min(size, (last + 1) * kBlock);
  // Not MAP_POPULATE: it walks page by page, where a fault maps all of a stretch that is in memory.
  void* const map =
      ::mmap(nullptr, end - begin, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(begin));
  if (map == MAP_FAILED) return std::unexpected(errno_error(errno, "map a content"));
  (void)::madvise(map, end - begin, MADV_SEQUENTIAL);  // what is not in memory is read far ahead
  // Of pages that lie together, 512 are mapped as one; what is read now is made to lie so.
  (void)::madvise(map, end - begin, MADV_HUGEPAGE);
  Walk w{static_cast<const std::byte*>(map), end - begin, table, first, false};
  const bool readable = survive_bus_error(walk, &w);
  ::munmap(map, end - begin);
  if (readable && !w.bad) return std::nullopt;
  return BadBlock{w.at, readable};
}

}  // namespace holdfast::store
