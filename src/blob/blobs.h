// Containers and blobs: the domain, without a wire format. Every write makes a new immutable
// content; what was acknowledged is on disk; a reader keeps the content that it opened.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "blob/conditions.h"
#include "store/objects/object_store.h"

namespace holdfast::blob {

struct FoundContainer;
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

  // conflict "container_exists".
  Task<Result<Info>> create_container(std::string account, std::string name, Pairs metadata,
                                      std::string access = {});
  Task<Result<Info>> container(std::string account, std::string name, std::string lease_id = {});
  Task<Result<Info>> set_container_metadata(std::string account, std::string name, Pairs metadata,
                                            Conditions conditions);
  Task<Result<Access>> container_access(std::string account, std::string name,
                                        std::string lease_id);
  Task<Result<Info>> set_container_access(std::string account, std::string name, std::string level,
                                          std::vector<Policy> policies, Conditions conditions);
  // With all its blobs; both may be kept for a while.
  Task<Result<void>> delete_container(std::string account, std::string name, Conditions conditions);
  Task<Result<Page>> list_containers(std::string account, ListQuery query);

  // What put_blob would say, before its body has travelled.
  Task<Result<void>> may_replace(BlobKey key, Conditions conditions);
  Task<Result<Info>> put_blob(BlobKey key, store::StagedContent content, Pairs headers,
                              Pairs metadata, Conditions conditions);
  Task<Result<Info>> put_blob(BlobKey key, store::StagedContent content, NewBlob wanted,
                              Conditions conditions);
  // Block blobs alone: conflict "invalid_blob_type".
  Task<Result<void>> put_block(BlobKey key, std::string id, store::StagedContent content,
                               Conditions conditions);
  // invalid_argument "invalid_block_list" where a block is not there.
  Task<Result<Info>> put_block_list(BlobKey key, std::vector<BlockRef> blocks, NewBlob wanted,
                                    Conditions conditions);
  Task<Result<BlockLists>> block_lists(BlobKey key);
  // At the end of an append blob, without copying what is there. conflict "invalid_blob_type",
  // "blob_sealed", "too_many_blocks"; precondition_failed "append_position", "max_blob_size".
  Task<Result<Appended>> append_block(BlobKey key, store::StagedContent content,
                                      Conditions conditions, AppendConditions where);
  Task<Result<Info>> seal(BlobKey key, Conditions conditions, AppendConditions where);
  // The content of `from` becomes that of `to` too; no byte is copied. What `wanted` leaves empty
  // is the source's; one of the archive becomes such a one on its way to the tier. Also not_found
  // "copy_source_not_found"; precondition_failed "source_condition_not_met".
  Task<Result<Info>> copy_blob(BlobKey to, BlobKey from, NewBlob wanted, Conditions conditions,
                               Conditions source_conditions);
  Task<Result<Info>> set_tags(BlobKey key, Pairs tags, Conditions conditions);
  // Reasons of apply(). The state after it; an ETag stays as it is.
  Task<Result<Info>> lease_blob(BlobKey key, LeaseRequest request, Conditions conditions);
  Task<Result<Info>> lease_container(std::string account, std::string name, LeaseRequest request,
                                     Conditions conditions);
  Task<Result<Info>> blob(BlobKey key, Conditions conditions);
  Task<Result<OpenBlob>> open_blob(BlobKey key, Conditions conditions, Range wanted = {});
  // The same at once; nullopt: it would have to wait.
  std::optional<Result<OpenBlob>> open_blob_now(const BlobKey&, const Conditions&, Range wanted);
  Task<Result<void>> delete_blob(BlobKey key, Conditions conditions);
  // Replaces the one that is given.
  Task<Result<Info>> set_properties(BlobKey key, std::optional<Pairs> headers,
                                    std::optional<Pairs> metadata, Conditions conditions);
  Task<Result<Page>> list_blobs(std::string account, std::string container, ListQuery query);
  // An account's service properties (the protocol's document); "" before the first.
  Task<Result<std::string>> service_properties(std::string account);
  // `change` makes the new document of the one in force, and may be called again.
  Task<Result<void>> change_service_properties(
      std::string account, std::function<Result<ServiceDocument>(const std::string&)> change);
  void set_settings(SettingsOf settings) { settings_ = std::move(settings); }  // before requests
  AccountSettings settings(std::string_view account) const;

  // Called after the commit of each blob that was put or deleted, on its thread; must not block.
  // Each call, before the first request, adds one. A kill may come between: it is but a hint.
  void observe(std::function<void(const BlobKey&)> observer);

  // Drops blocks of a week ago and what was kept for long enough; frees what no one holds.
  Task<Result<void>> sweep();

  store::Database& database() { return database_; }
  store::ObjectStore& objects() { return objects_; }
  const Clock& clock() const { return clock_; }
  uint64_t next_etag();

 private:
  friend class History;
  friend class PageBlobs;
  friend class PendingCopies;
  friend class Retention;
  Blobs(store::Database& database, store::ObjectStore& objects, const Clock& clock)
      : database_(database), objects_(objects), clock_(clock) {}
  Result<Info> replace(store::Tx& tx, const FoundContainer& in, const std::string& name,
                       store::ContentId content, uint64_t size, const NewBlob& wanted,
                       const Conditions& conditions, std::string_view api);

  store::Database& database_;
  store::ObjectStore& objects_;
  const Clock& clock_;
  std::atomic<uint64_t> last_etag_{0};
  std::function<void(const BlobKey&)> observer_;
  SettingsOf settings_;
};

}  // namespace holdfast::blob
