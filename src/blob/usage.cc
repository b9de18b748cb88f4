#include "blob/usage.h"

namespace holdfast::blob {

Result<std::vector<ContainerUsage>> container_usage(store::Tx& tx) {
  std::vector<ContainerUsage> out;
  TRY_VOID(
      tx.each("SELECT c.account, c.name, coalesce(b.n, 0), coalesce(b.bytes, 0), coalesce(u.n, 0), "
              "coalesce(u.bytes, 0) FROM container c "
              "LEFT JOIN (SELECT container, count(*) AS n, sum(size) AS bytes FROM blob GROUP BY "
              "container) b ON b.container = c.id "
              "LEFT JOIN (SELECT container, count(*) AS n, sum(size) AS bytes FROM "
              "uncommitted_block GROUP BY container) u ON u.container = c.id "
              "ORDER BY c.account, c.name",
              {}, [&](const store::Row& row) {
                ContainerUsage usage;
                usage.account = std::string(row.text(0));
                usage.container = std::string(row.text(1));
                usage.blobs = static_cast<uint64_t>(row.integer(2));
                usage.bytes = static_cast<uint64_t>(row.integer(3));
                usage.waiting_blocks = static_cast<uint64_t>(row.integer(4));
                usage.waiting_bytes = static_cast<uint64_t>(row.integer(5));
                out.push_back(std::move(usage));
                return true;
              }));
  return out;
}

}  // namespace holdfast::blob
