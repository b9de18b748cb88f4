#include "inference/http/content_coding.h"

#include <zlib.h>

#include <algorithm>

namespace holdfast::inference {
namespace {

constexpr int kZlib = 15, kGzip = 15 + 16, kEither = 15 + 32;  // zlib's words for what it reads

}  // namespace

Result<std::string> decompress(std::string_view encoding, std::string body, uint64_t limit) {
  if (encoding.empty() || equal_ignore_case(encoding, "identity")) return body;
  if (!equal_ignore_case(encoding, "gzip") && !equal_ignore_case(encoding, "deflate"))
    return fail(Code::unsupported, "encoding",
                "Content-Encoding " + std::string(encoding) +
                    " is not offered; gzip, deflate and identity are");
  z_stream stream{};
  if (inflateInit2(&stream, kEither) != Z_OK)
    return fail(Code::unavailable, "no memory to decompress the body");
  std::string out;
  stream.next_in = reinterpret_cast<Bytef*>(body.data());
  stream.avail_in = static_cast<uInt>(body.size());
  int state = Z_OK;
  while (state == Z_OK && out.size() <= limit) {
    const size_t before = out.size();
    // One byte more than may be, so that too much is seen.
    out.resize(std::min<uint64_t>(std::max<uint64_t>(before * 2, 64 << 10), limit + 1));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = static_cast<uInt>(out.size() - before);
    state = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (stream.avail_out != 0 && state == Z_OK && stream.avail_in == 0) break;  // cut
  }
  const bool rest = stream.avail_in != 0;
  inflateEnd(&stream);
  if (out.size() > limit)
    return fail(Code::too_large,
                "the body is larger than " + format_size(limit) + " when decompressed");
  if (state != Z_STREAM_END || rest)
    return fail(Code::invalid_argument,
                "the body is not a whole " + std::string(encoding) + " stream");
  return out;
}

std::string_view wanted_coding(std::string_view accepted) {
  const std::string_view name = trim(accepted);
  if (equal_ignore_case(name, "gzip")) return "gzip";
  return equal_ignore_case(name, "deflate") ? "deflate" : "";
}

Result<std::string> compress(std::string_view coding, std::string_view first, ByteView second) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, coding == "gzip" ? kGzip : kZlib, 8,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    return fail(Code::unavailable, "no memory to compress the answer");
  std::string out(deflateBound(&stream, first.size() + second.size()), '\0');
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const auto feed = [&stream](std::string_view part, int flush) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
    stream.avail_in = static_cast<uInt>(part.size());
    return ::deflate(&stream, flush);
  };
  feed(first, Z_NO_FLUSH);
  const int state = feed(as_text(second), Z_FINISH);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  if (state != Z_STREAM_END) return fail(Code::internal, "the answer could not be compressed");
  return out;
}

}  // namespace holdfast::inference
