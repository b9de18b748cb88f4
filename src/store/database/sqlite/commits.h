// How far the writer's commits have come. For sqlite/ alone; any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace holdfast::store {

struct Commits {
  // Whoever reads from now on may see this one, and none after it.
  std::atomic<uint64_t> visible{0};
  // This one and all before it are on disk; only from here on may anybody be told of them.
  std::atomic<uint64_t> durable{0};
};

}  // namespace holdfast::store
