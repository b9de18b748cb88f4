// Keys of callers that a file lists: what a door without an issuer of its own lets in by.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http/message.h"

namespace holdfast::identity {

// Any thread may call.
class ApiKeys {
 public:
  // A line each: NAME ROLE KEY, with a role of reader, operator, admin; '#' begins a comment. A key
  // has at least 16 characters. not_found; invalid_argument names the line, and never a key.
  static Result<ApiKeys> read(const std::string& file);
  static Result<ApiKeys> parse(std::string_view text, const std::string& source);

  // Whose it is. In a time that does not depend on how much of a key is right.
  std::optional<http::Principal> find(std::string_view key) const;

 private:
  struct Entry {
    std::string digest;  // SHA-256: what is compared has one length
    http::Principal principal;
  };
  std::vector<Entry> entries_;
};

}  // namespace holdfast::identity
