// An object store whose bytes are in memory, for tests: complete, and as transactional as the one
// on disk, since the index is in the caller's database all the same.
#pragma once

#include "store/objects/object_store.h"

namespace holdfast::store {

// `database` must outlive the store; its tables are migrated here.
Result<std::unique_ptr<ObjectStore>> open_memory_objects(Database& database);

// Fails on demand. `inner` must outlive it. Any thread.
class FailingObjects final : public ObjectStore {
 public:
  explicit FailingObjects(ObjectStore& inner);
  ~FailingObjects() override;
  // The next call of any kind fails with `error`; append() and finish() of a writer count too.
  void fail_next(Error error);

  Task<Result<std::unique_ptr<ContentWriter>>> create(std::optional<uint64_t> size_hint) override;
  Result<ContentId> add(Tx& tx, const StagedContent& staged) override;
  Result<ContentId> concatenate(Tx& tx, const std::vector<ContentId>& parts) override;
  Result<void> retain(Tx& tx, ContentId id) override;
  Result<void> release(Tx& tx, ContentId id) override;
  Result<std::shared_ptr<OpenContent>> open(Tx& tx, ContentId id) override;
  Task<Result<void>> verify(ContentId id) override;
  Task<Result<std::vector<Damage>>> damages(size_t limit) override;
  Task<Result<uint64_t>> sweep() override;

 private:
  ObjectStore& inner_;
  std::shared_ptr<class NextFailure> failure_;
};

}  // namespace holdfast::store
