// What containers and blobs are made of: plain types.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "blob/immutability.h"
#include "blob/lease.h"
#include "blob/settings.h"

namespace holdfast::blob {

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct BlobKey {
  BlobKey(std::string account_, std::string container_, std::string name_)
      : account(std::move(account_)), container(std::move(container_)), name(std::move(name_)) {}
  std::string account, container, name;
  WallTime snapshot, version;  // of which this is said; WallTime(): the blob itself
};

enum class BlobType { block, append, page };

struct Range {  // of bytes, inclusive
  uint64_t first = 0, last = UINT64_MAX;
};

struct Rehydration {  // of an archived blob
  std::string to;     // the tier; "": none is under way
  bool high = false;  // its priority
};

struct Info {  // of a container or a blob
  std::string name;
  uint64_t size = 0;
  WallTime created, modified;
  uint64_t etag = 0;
  Pairs headers;  // Content-Type, Content-Encoding, …, Content-MD5 (base64)
  Pairs metadata;
  Lease lease;
  // Of a blob alone.
  BlobType type = BlobType::block;
  uint32_t blocks = 0;   // that were appended
  bool sealed = false;   // no more may be
  int64_t sequence = 0;  // of a page blob
  WallTime expiry;       // from then on it is not there; WallTime(): never
  Immutability immutability;
  Pairs copy;  // of what it is a copy: id, source, status, progress, completed
  Pairs tags;
  std::string tier;  // "": the account's own, Hot
  WallTime tier_changed;
  Rehydration rehydration;
  WallTime snapshot, version;  // its time and its id; WallTime(): none
  bool current = true;         // not a previous version
  bool versions_only = false;  // there is no blob of this name any more
  // Of either, where soft delete keeps it: since when, until when.
  WallTime deleted, expires;
  // Of a container alone: what anyone may read: "", "blob" or "container".
  std::string access;
};

// A stored access policy: what a service SAS that names it leaves out. As the client sent it.
struct Policy {
  std::string id, start, expiry, permissions;
};
struct Access {
  Info container;
  std::vector<Policy> policies;
};

struct NewBlob {
  Pairs headers, metadata;
  BlobType type = BlobType::block;
  uint32_t blocks = 0;
  bool sealed = false;
  int64_t sequence = 0;
  WallTime expiry;
  Immutability immutability;
  Pairs copy, tags;
  std::string tier;
  enum FromArchive { never, standard, high } from_archive = never;  // a copy of an archived blob
};

struct Appended {
  Info info;
  uint64_t offset = 0;
};

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
  // What else is listed. `gone`: blobs of which there are but versions.
  bool snapshots = false, deleted = false, versions = false, gone = false, uncommitted = false;
  bool system = false;  // containers of the server's own
  // Of what is no more than a blob: its copy, version, policy and hold are left out.
  bool brief = false;
};

}  // namespace holdfast::blob
