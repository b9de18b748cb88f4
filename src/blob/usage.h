// How much lies in each container.
#pragma once

#include <string>
#include <vector>

#include "store/database/database.h"

namespace holdfast::blob {

struct ContainerUsage {
  std::string account, container;
  uint64_t blobs = 0, bytes = 0;                   // as a client sees them
  uint64_t waiting_blocks = 0, waiting_bytes = 0;  // that no list named yet
};
// By account and name. Reads a row for every blob; inside a read transaction.
Result<std::vector<ContainerUsage>> container_usage(store::Tx& tx);

}  // namespace holdfast::blob
