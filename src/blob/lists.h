// Listings told blob by blob, for whoever makes a text of them: no page is ever in memory.
#pragma once

#include <functional>

#include "blob/blobs.h"

namespace holdfast::blob {

// Who is told what a listing finds, in its order, on the thread that reads.
struct Listing {
  std::function<void(Info&)> blob;  // may move from it
  std::function<void(std::string_view)> prefix;
};

// The mark of the next page; "" after the last. not_found "container_not_found".
Result<std::string> tell_blobs(store::Tx& tx, std::string_view account, std::string_view container,
                               const ListQuery& query, WallTime now, const Listing& to);

}  // namespace holdfast::blob
