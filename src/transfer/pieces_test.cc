#include "transfer/pieces.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace holdfast::transfer {
namespace {

TEST(Pieces, CoverEveryByteOnce) {
  for (const uint64_t total : {1ull, 7ull, 8ull, 9ull, 16ull, 1ull << 20, (1ull << 40) + 3}) {
    for (const uint64_t wanted : {1ull, 8ull, 8ull << 20}) {
      const uint64_t piece = *piece_size(total, wanted), count = piece_count(total, piece);
      EXPECT_LE(count, kMost) << total;
      EXPECT_GE(piece, wanted);
      const Piece last = piece_at(total, piece, count - 1);
      EXPECT_EQ(last.offset + last.size, total);
      EXPECT_GT(last.size, 0u);
      EXPECT_LE(last.size, piece);
    }
  }
  EXPECT_EQ(*piece_size(kMost * 8, 8), 8u);             // exactly as many as there may be
  EXPECT_EQ(*piece_size(kMost * 8 + 1, 8), 64u << 10);  // one byte more
  EXPECT_EQ(piece_size(kLargest * kMost + 1, 8).error().code(), Code::too_large);
}

TEST(Pieces, IdsTellPlaceAndContent) {
  const std::string a(16, 'a'), b(16, 'b');
  EXPECT_NE(block_id(0, a), block_id(1, a));
  EXPECT_NE(block_id(0, a), block_id(0, b));
  EXPECT_EQ(block_id(0, a).size(), block_id(49'999, b).size());
  EXPECT_LE(from_base64(block_id(49'999, a))->size(), 64u);
}

}  // namespace
}  // namespace holdfast::transfer
