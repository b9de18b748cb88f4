// Conditions on a blob's tags, as Find Blobs by Tags and x-ms-if-tags write them. Pure, any thread.
// Source: "Find Blobs by Tags", "Specifying conditional headers for Blob service operations".
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace holdfast::blob {

struct TagTest {
  enum Compare { equal, not_equal, less, at_most, greater, at_least } compare = equal;
  std::string key, value;
};

// One of the lists holds, all of whose tests hold. Values compare byte by byte.
struct TagFilter {
  std::vector<std::vector<TagTest>> any_of;
  // A tag that is not there is not equal to anything, and holds no other test.
  bool holds(const std::vector<std::pair<std::string, std::string>>& tags) const;
};

// Keys are words or in double quotes, values in single quotes; a quote within is doubled.
enum class TagGrammar {
  find,       // AND alone, no <>; @container = '…'; two tests of a key must be a range
  condition,  // AND, OR, <> and brackets
};
// invalid_argument, with the place in the text; at most 10 tests.
Result<TagFilter> parse_tag_filter(std::string_view text, TagGrammar grammar);

}  // namespace holdfast::blob
