// The arithmetic of twins: merge patches, their limits, metadata. Pure functions, any thread.
// Source: "Understand and use device twins", Azure IoT Hub.
#pragma once

#include <string_view>

#include "iot/types.h"

namespace holdfast::iot {

inline constexpr size_t kTagsLimit = 8 << 10;  // bytes of JSON
inline constexpr size_t kSectionLimit = 32 << 10;

// The text as a JSON object without "$version" and "$metadata" at its top. invalid_argument names
// what is wrong.
Result<boost::json::object> parse_object(std::string_view text, std::string_view what);
// The same for a value that was parsed already.
Result<boost::json::object> as_section(const boost::json::value& value, std::string_view what);

// Depth at most 10, names without control characters, '.', '$' and spaces and at most 1 KiB, texts
// at most 4 KiB, whole numbers within ±2^52. invalid_argument names the path.
Result<void> check_section(const boost::json::object& values, std::string_view what);

// Nulls remove, objects merge, all else replaces (RFC 7396). `time` is the metadata's $lastUpdated;
// `with_version` writes $lastUpdatedVersion too (desired). The section's version grows by one.
void merge(Section& section, const boost::json::object& patch, WallTime time, bool with_version);
void merge(boost::json::object& values, const boost::json::object& patch);
// The section becomes `values`; returns the merge patch that makes the old ones these.
boost::json::object replace(Section& section, const boost::json::object& values, WallTime time,
                            bool with_version);
// The merge patch from `from` to `to`.
boost::json::object difference(const boost::json::object& from, const boost::json::object& to);
// An empty section of version 1.
Section new_section(WallTime time, bool with_version);

// too_large over `limit` bytes of JSON.
Result<void> check_size(const boost::json::object& values, size_t limit, std::string_view what);

}  // namespace holdfast::iot
