// A request's body on its way into the object store.
#pragma once

#include "blob/http/call.h"

namespace holdfast::blob {

struct Received {
  store::StagedContent content;
  std::string md5;  // raw; empty where a part of a blob came without one
  uint64_t crc64 = 0;
  bool crc_asked = false;
};

// The checksums that the request names for its own body. `name` is the MD5 header that counts.
// invalid_argument "both_checksums", "invalid_md5", "md5_mismatch", "invalid_header",
// "crc64_mismatch".
Result<void> check_sums(const http::Request& request, std::string_view name, const std::string& md5,
                        uint64_t crc64);
// Streams the body into a content, hashing on the way; durable when it returns. Also
// invalid_argument "missing_length"; too_large "body_too_large".
Task<Result<Received>> receive(Call& call, uint64_t limit, std::string_view md5_header);
// What a block's sender is told: an MD5 where it sent one, else the CRC64.
void add_checksum(http::Response& response, const Received& received);

}  // namespace holdfast::blob
