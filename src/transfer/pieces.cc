#include "transfer/pieces.h"

#include <algorithm>

#include "base/bytes.h"

namespace holdfast::transfer {

Result<uint64_t> piece_size(uint64_t total, uint64_t wanted) {
  constexpr uint64_t kStep = 64 << 10;
  uint64_t piece = std::max<uint64_t>(wanted, 1);
  if (piece_count(total, piece) > kMost) {
    piece = (total + kMost - 1) / kMost;
    piece = (piece + kStep - 1) / kStep * kStep;
  }
  if (piece > kLargest)
    return fail(Code::too_large, format_size(total) + " is more than a blob can hold");
  return piece;
}

uint64_t piece_count(uint64_t total, uint64_t piece) {
  return total / piece + (total % piece == 0 ? 0 : 1);
}

Piece piece_at(uint64_t total, uint64_t piece, uint64_t index) {
  Piece out;
  out.index = index;
  out.offset = index * piece;
  out.size = std::min(piece, total - out.offset);
  return out;
}

std::string block_id(uint64_t index, std::string_view print) {
  std::string raw = "hf";
  for (int shift = 24; shift >= 0; shift -= 8)
    raw += static_cast<char>(static_cast<uint8_t>(index >> shift));
  raw += print;
  return base64(as_bytes(raw));
}

}  // namespace holdfast::transfer
