// What the object stores share: the index in the database. A backend adds where the bytes are.
#pragma once

#include <mutex>
#include <set>

#include "net/runtime.h"
#include "store/objects/content.h"
#include "store/objects/content_index.h"

namespace holdfast::store {

class IndexedObjects : public ObjectStore, protected DamageReports {
 public:
  Result<ContentId> add(Tx& tx, const StagedContent& staged) final;
  Result<ContentId> concatenate(Tx& tx, const std::vector<ContentId>& parts) final;
  Result<void> retain(Tx& tx, ContentId id) final;
  Result<void> release(Tx& tx, ContentId id) final;
  Result<std::shared_ptr<OpenContent>> open(Tx& tx, ContentId id) final;
  Task<Result<void>> verify(ContentId id) final;
  Task<Result<std::vector<Damage>>> damages(size_t limit) final;
  Task<Result<uint64_t>> sweep() final;

 protected:
  // `threads` for reading and writing of bytes. `database` must outlive it.
  IndexedObjects(Database& database, unsigned threads)
      : database_(database), pool_("objects", threads) {}

  // The file that holds these bytes, at staged.offset.
  virtual Result<std::shared_ptr<Fd>> locate(const StagedContent& staged) = 0;
  // On the pool, after the index has let go of them.
  virtual void erase(const content_index::Swept& swept) = 0;

  // After each sweep: space that has become free is given back. Returns the bytes.
  virtual Task<Result<uint64_t>> settle() { co_return uint64_t{0}; }

  // The bytes come to the disk before what the transaction does.
  static void write_before_commit(Tx& tx, const StagedContent& staged);

  BlockingPool& pool() { return pool_; }
  Database& database() { return database_; }
  void damaged(ContentId id, uint64_t at, const std::string& what) override;

 private:
  Result<std::vector<StoredPiece>> pieces(Tx& tx, ContentId id);

  Database& database_;
  std::mutex mutex_;
  std::set<std::pair<ContentId, uint64_t>> told_;  // damage that is on record already
  BlockingPool pool_;
};

}  // namespace holdfast::store
