// What containers and blobs are made of: plain types, and the caller's conditions on them.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace holdfast::blob {

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct BlobKey {
  BlobKey(std::string account_, std::string container_, std::string name_)
      : account(std::move(account_)), container(std::move(container_)), name(std::move(name_)) {}
  std::string account, container, name;
};

struct Info {  // of a container or a blob
  std::string name;
  uint64_t size = 0;
  WallTime created, modified;
  uint64_t etag = 0;
  Pairs headers;  // Content-Type, Content-Encoding, …, Content-MD5 (base64)
  Pairs metadata;
};

// An ETag is a value or kAny ("*").
struct Conditions {
  static constexpr uint64_t kAny = 0;
  std::optional<uint64_t> if_match, if_none_match;
  std::optional<WallTime> if_modified_since, if_unmodified_since;
  bool create_only = false;  // the credential may make a blob, but not overwrite one

  bool any() const {
    return if_match || if_none_match || if_modified_since || if_unmodified_since || create_only;
  }
};

enum class Write { replace, change };  // of the content, or of what is said about it
// precondition_failed "condition_not_met". For Write::replace also conflict "blob_exists" on
// If-None-Match: *, and denied "overwrite_denied".
Result<void> check_write(const Conditions& conditions, const std::optional<Info>& there,
                         Write write);
// precondition_failed "condition_not_met" (412) or "not_modified" (304); invalid_argument
// "unsatisfiable_condition".
Result<void> check_read(const Conditions& conditions, const Info& there);

struct BlockRef {
  enum Kind { committed, uncommitted, latest } kind;
  std::string id;  // base64, as the client sent it
};
struct Block {
  std::string id;
  uint64_t size = 0;
};
struct BlockLists {
  Info blob;  // etag 0: only uncommitted blocks are there
  std::vector<Block> committed, uncommitted;
};

struct Page {
  std::vector<Info> items;
  std::vector<std::string> prefixes;
  std::string next;  // empty: the last page
};
struct ListQuery {
  std::string prefix, delimiter, marker;
  size_t limit = 5000;
};

}  // namespace holdfast::blob
