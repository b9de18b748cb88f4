// The uplink's journal: which blocks of which upload have arrived. Plain functions over the
// records.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "base/result.h"

namespace holdfast::uplink {

struct Upload {
  uint64_t size = 0, block_size = 0;
  std::set<uint32_t> blocks;    // numbers that have arrived
  uint64_t first_sequence = 0;  // of its first record
};

std::string begin_record(const std::string& event, uint64_t size, uint64_t block_size);
std::string block_record(const std::string& event, uint32_t block);
std::string committed_record(const std::string& event);

// Applies one record to the uploads under way. internal where it is none of the above.
Result<void> apply(std::map<std::string, Upload>& uploads, uint64_t sequence,
                   std::string_view record);

// The same for each attempt, so that a repeated block replaces itself: base64 of event id and
// number.
std::string block_id(const std::string& event, uint32_t block);

}  // namespace holdfast::uplink
