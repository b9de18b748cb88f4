// The change feed's files: their names, their documents, and an event as a record.
#pragma once

#include <span>
#include <string>

#include "events/wire.h"

namespace holdfast::blob::feed {

inline constexpr std::string_view kContainer = "$blobchangefeed";
inline constexpr std::string_view kSegments = "meta/segments.json";

// An hour of the feed. "2026/11/26/2100", in UTC.
std::string hour_of(WallTime time);
std::string segment_name(std::string_view hour);  // "idx/segments/…/meta.json"
std::string log_folder(std::string_view hour);    // "log/00/…/"
std::string chunk_name(std::string_view hour, unsigned number);
// The hour of a segment's name; "" where it is none.
std::string hour_of_segment(std::string_view name);
WallTime begin_of(std::string_view hour);

// An Avro file of these events.
std::string chunk(std::span<const events::StoredEvent> all, const events::Origins& origins);
// The document of an hour; `last` is still written to.
std::string segment(std::string_view hour, bool last, WallTime now);
// What tells how far the feed is.
std::string segments(std::string_view last_hour, WallTime now);

}  // namespace holdfast::blob::feed
