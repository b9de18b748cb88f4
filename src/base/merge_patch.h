// Merge patches of JSON objects (RFC 7396), as twins use them. Pure functions, any thread.
#pragma once

#include <boost/json/object.hpp>

namespace holdfast {

// The patch that makes `after` of `before`; empty where they are the same.
boost::json::object merge_patch(const boost::json::object& before,
                                const boost::json::object& after);
void apply_merge_patch(boost::json::object& target, const boost::json::object& patch);
// One patch that does what `first` and then `second` do; lands in `first`.
void join_merge_patches(boost::json::object& first, const boost::json::object& second);

}  // namespace holdfast
