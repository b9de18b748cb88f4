// Containers and block blobs: the domain, without a wire format. Every write makes a new immutable
// content; what was acknowledged is on disk; a reader keeps the content that it opened.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "blob/types.h"
#include "store/objects/object_store.h"

namespace holdfast::blob {

struct OpenBlob {
  Info info;
  std::shared_ptr<store::OpenContent> content;
};

// Common failures: not_found "container_not_found" / "blob_not_found", unavailable, internal. Any
// thread.
class Blobs {
 public:
  // Migrates the component "blob". All three must outlive it.
  static Result<std::unique_ptr<Blobs>> open(store::Database& database, store::ObjectStore& objects,
                                             const Clock& clock);

  Task<Result<Info>> create_container(std::string account, std::string name,
                                      Pairs metadata);  // conflict "container_exists"
  Task<Result<Info>> container(std::string account, std::string name);
  Task<Result<Info>> set_container_metadata(std::string account, std::string name, Pairs metadata,
                                            Conditions conditions);
  // With all its blobs and blocks.
  Task<Result<void>> delete_container(std::string account, std::string name, Conditions conditions);
  Task<Result<Page>> list_containers(std::string account, ListQuery query);

  // Where the container is and the conditions hold: what put_blob would say, before its body has
  // travelled.
  Task<Result<void>> may_replace(BlobKey key, Conditions conditions);
  Task<Result<Info>> put_blob(BlobKey key, store::StagedContent content, Pairs headers,
                              Pairs metadata, Conditions conditions);
  Task<Result<void>> put_block(BlobKey key, std::string id, store::StagedContent content);
  // invalid_argument "invalid_block_list" where a block is not there.
  Task<Result<Info>> put_block_list(BlobKey key, std::vector<BlockRef> blocks, Pairs headers,
                                    Pairs metadata, Conditions conditions);
  Task<Result<BlockLists>> block_lists(BlobKey key);
  Task<Result<Info>> blob(BlobKey key, Conditions conditions);
  Task<Result<OpenBlob>> open_blob(BlobKey key, Conditions conditions);
  Task<Result<void>> delete_blob(BlobKey key, Conditions conditions);
  // Replaces the one that is given.
  Task<Result<Info>> set_properties(BlobKey key, std::optional<Pairs> headers,
                                    std::optional<Pairs> metadata, Conditions conditions);
  Task<Result<Page>> list_blobs(std::string account, std::string container, ListQuery query);

  // An account's service properties (the protocol's document, kept as it is); "" before the first.
  Task<Result<std::string>> service_properties(std::string account);
  // `change` makes the new document of the one in force, and may be called again; its error is the
  // answer. Changes follow one another, so that none is lost.
  Task<Result<void>> change_service_properties(
      std::string account, std::function<Result<std::string>(const std::string&)> change);

  // Called after the commit of each blob that was put or deleted, on the thread that did it; must
  // not block. Set before the first request. A kill may come between the two: it is a hint to look,
  // never the truth.
  void observe(std::function<void(const BlobKey&)> observer) { observer_ = std::move(observer); }

  // Drops blocks that were never committed within a week; then frees what no one holds.
  Task<Result<void>> sweep();

  store::ObjectStore& objects() { return objects_; }

 private:
  Blobs(store::Database& database, store::ObjectStore& objects, const Clock& clock)
      : database_(database), objects_(objects), clock_(clock) {}
  Result<Info> replace(store::Tx& tx, int64_t container, const BlobKey& key,
                       store::ContentId content, uint64_t size, const Pairs& headers,
                       const Pairs& metadata, const Conditions& conditions);
  Result<void> drop_blocks(store::Tx& tx, int64_t container, const std::string& blob);
  uint64_t next_etag();

  store::Database& database_;
  store::ObjectStore& objects_;
  const Clock& clock_;
  std::atomic<uint64_t> last_etag_{0};
  std::function<void(const BlobKey&)> observer_;
};

}  // namespace holdfast::blob
