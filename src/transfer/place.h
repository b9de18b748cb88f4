// Where a transfer begins or ends, as users write it. Pure functions.
//   ./in/a.bin                                  a path
//   blob://site1/ready/in/a.bin                 an account of the hub
//   https://site1.blob.example/ready/a.bin?sig  any blob service, with its signature or public
//   http://127.0.0.1:10000/site1/ready          path style
#pragma once

#include <string>

#include "base/result.h"

namespace holdfast::transfer {

struct Place {
  enum class Kind { path, hub, url };
  Kind kind = Kind::path;
  std::string path;                      // Kind::path
  std::string endpoint;                  // Kind::url: "http://127.0.0.1:10000/site1"
  std::string account, container, blob;  // decoded; blob may be empty or a prefix
  std::string sas;                       // Kind::url: without '?'
  bool is_local() const { return kind == Kind::path; }
};

// invalid_argument (usage): a blob place without account or container, a broken escape.
Result<Place> parse_place(const std::string& text);

// For messages: never the signature.
std::string to_string(const Place& place);

}  // namespace holdfast::transfer
