// Blobs by their tags, over an index: a find costs what it returns, or at most what the rarest of
// its conditions matches, however many blobs there are.
#pragma once

#include "blob/blobs.h"
#include "blob/tag_filter.h"

namespace holdfast::blob {

struct FindQuery {
  std::string account;
  std::string container;       // "": in all of the account's
  std::vector<TagTest> tests;  // of the grammar `find`, one at least
  std::string marker;
  size_t limit = 5000;
};
struct FoundTagged {
  std::string container, name;
  Pairs tags;  // those that the tests name
};
struct FindPage {
  std::vector<FoundTagged> items;  // may be few, or none, though there are more
  std::string next;                // empty: the last page
};

// not_found "container_not_found" where the query names one; invalid_argument "invalid_query" on a
// marker that is not of this server.
Task<Result<FindPage>> find_by_tags(Blobs& blobs, FindQuery query);

}  // namespace holdfast::blob
