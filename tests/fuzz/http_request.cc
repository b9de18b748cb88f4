// Heads and bodies as the server reads them, in pieces of a size that the first byte chooses.
#include "net/http/head.h"
#include "net/http/parser.h"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t step = 1 + data[0];
  const ByteView all(reinterpret_cast<const std::byte*>(data + 1), size - 1);
  http::Parser<true> parser;
  parser.body_limit(1 << 20);
  std::byte room[4096];
  size_t held = 0;
  for (size_t at = 0; at < all.size();) {
    parser.room = room;
    boost::beast::error_code error;
    held = std::min(held + step, all.size() - at);
    const size_t used = parser.feed(all.subspan(at, held), error);
    if (error || parser.is_done()) break;
    at += used;
    held -= used;
    if (used == 0 && at + held == all.size()) break;
  }
  http::Request request;
  request.target = parser.target;
  (void)http::split_target(request);
  return 0;
}
