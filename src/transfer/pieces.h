// How a large content is cut, and how its blocks are named. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace holdfast::transfer {

constexpr uint64_t kMost = 50'000;                   // blocks of one blob
constexpr uint64_t kLargest = uint64_t{4000} << 20;  // bytes of one block
constexpr uint64_t kDefaultPiece = 8 << 20;

struct Piece {
  uint64_t index = 0, offset = 0, size = 0;
};

// The bytes of every piece but the last one: `wanted`, or more where 50,000 of them would not do.
// too_large over what a blob can hold.
Result<uint64_t> piece_size(uint64_t total, uint64_t wanted);
uint64_t piece_count(uint64_t total, uint64_t piece);
Piece piece_at(uint64_t total, uint64_t piece, uint64_t index);

// The id of a block: its place and `print`, 16 bytes that tell its content (an MD5). Base64, and of
// one length for all, as the service wants it.
std::string block_id(uint64_t index, std::string_view print);

}  // namespace holdfast::transfer
