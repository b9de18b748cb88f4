// What the blob client sends and gets. Plain values.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "net/http/message.h"

namespace holdfast::blob_client {

// Sent from memory or by sendfile.
using Content = std::variant<std::string, http::FileRange>;
using Metadata = std::vector<std::pair<std::string, std::string>>;

struct BlobHeaders {
  std::string content_type;   // empty: application/octet-stream
  std::string content_md5;    // base64 of the whole blob's MD5; the service keeps it
  Metadata metadata;          // names are case-insensitive
  std::string if_none_match;  // "*": only where there is no such blob, else conflict blob_exists
};
struct Written {
  std::string etag;  // without quotes
  WallTime last_modified;
};
struct BlobProperties {
  uint64_t size = 0;
  std::string etag, content_type, content_md5;
  std::string copy_status;  // of the last copy to here: pending, success, aborted, failed; or none
  WallTime last_modified;
  Metadata metadata;  // lower-case names; only properties() fills it
};
struct ListedBlob {
  std::string name;
  BlobProperties properties;
};
struct BlobPage {
  std::vector<ListedBlob> blobs;
  std::vector<std::string> prefixes;
  std::string next_marker;  // empty: the last page
};
struct ListedContainer {
  std::string name, etag;
  WallTime last_modified;
};
struct ContainerPage {
  std::vector<ListedContainer> containers;
  std::string next_marker;
};
struct ListOptions {
  std::string prefix, delimiter, marker;
  unsigned max = 5000;
};
struct Block {
  std::string id;  // base64
  uint64_t size = 0;
};
struct BlockList {
  std::vector<Block> committed, uncommitted;
};
enum class Blocks { uncommitted, all };
struct ByteRange {
  uint64_t offset = 0;
  std::optional<uint64_t> size;  // nullopt: to the end
};

}  // namespace holdfast::blob_client
