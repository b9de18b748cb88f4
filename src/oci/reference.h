// Names of images: [HOST[:PORT]/]NAME[:TAG][@DIGEST]. Plain functions, any thread.
// Source: OCI distribution-spec 1.1, "Pulling manifests" (the grammars of <name> and <reference>).
#pragma once

#include <string>
#include <string_view>

#include "oci/digest.h"

namespace holdfast::oci {

struct Reference {
  std::string host;  // "" where none is given: the hub's own registry
  std::string name;  // "models/digits"
  std::string tag;   // "" where none is given
  Digest digest;     // empty where none is given; it decides where both are there

  std::string str() const;
  // What a registry is asked for: the digest, else the tag, else "latest".
  std::string manifest() const;
};

// The first component is a host where it holds '.' or ':' or is "localhost".
// invalid_argument "name_invalid", "tag_invalid" or "digest_invalid".
Result<Reference> parse_reference(std::string_view text);

// Lower-case letters and digits, joined by '.', '_', '__' or dashes, in components of a path; ≤ 255
// bytes. invalid_argument "name_invalid".
Result<void> check_name(std::string_view name);
// [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}. invalid_argument "tag_invalid".
Result<void> check_tag(std::string_view tag);

}  // namespace holdfast::oci
