#include "inference/http/decompress.h"

#include <zlib.h>

#include <algorithm>

#include "base/bytes.h"

namespace holdfast::inference {

Result<std::string> decompress(std::string_view encoding, std::string body, uint64_t limit) {
  if (encoding.empty() || equal_ignore_case(encoding, "identity")) return body;
  if (!equal_ignore_case(encoding, "gzip") && !equal_ignore_case(encoding, "deflate"))
    return fail(Code::unsupported, "encoding",
                "Content-Encoding " + std::string(encoding) +
                    " is not offered; gzip, deflate and identity are");
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 32) != Z_OK)  // 32: gzip or zlib, by the first bytes
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

}  // namespace holdfast::inference
