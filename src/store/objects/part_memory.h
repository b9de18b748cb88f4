// Memory for the parts of large contents on their way to the disk. Four parts lie in 2 MiB that
// are one page where the system has such: a part is then one stretch of physical memory, which a
// disk takes as one piece, where 128 pages cost a virtual one five times as long. Any thread. For
// store/objects alone.
#pragma once

#include <cstddef>

namespace holdfast::store {

constexpr size_t kPart = 512 << 10;

// kPart bytes, of any content, at whole pages; never null.
std::byte* take_part();
// `part` is what take_part() returned. Memory in which no part is left goes back to the system,
// but for 2 MiB.
void give_part(void* part);
// Bytes that are kept from the system at present.
size_t part_memory();

}  // namespace holdfast::store
