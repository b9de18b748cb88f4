// UUIDs that a text always has, for what has none of its own.
#pragma once

#include <string>

#include "base/digest.h"

namespace holdfast::identity {

// Version 8 (RFC 9562), of the text's SHA-256.
inline std::string named_uuid(std::string_view text) {
  std::string id = sha256_hex(as_bytes(text)).substr(0, 32);
  id[12] = '8';
  id[16] = 'a';
  for (const size_t at : {size_t{20}, size_t{16}, size_t{12}, size_t{8}}) id.insert(at, "-");
  return id;
}

}  // namespace holdfast::identity
