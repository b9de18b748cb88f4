// What the object stores share: the index in the database. A backend adds where the bytes are.
#pragma once

#include "net/runtime.h"
#include "store/objects/content_index.h"

namespace holdfast::store {

class IndexedObjects : public ObjectStore {
 public:
  Result<ContentId> add(Tx& tx, const StagedContent& staged) final;
  Result<ContentId> concatenate(Tx& tx, const std::vector<ContentId>& parts) final;
  Result<void> retain(Tx& tx, ContentId id) final;
  Result<void> release(Tx& tx, ContentId id) final;
  Result<std::shared_ptr<OpenContent>> open(Tx& tx, ContentId id) final;
  Task<Result<void>> verify(ContentId id) final;
  Task<Result<uint64_t>> sweep() final;

 protected:
  // `threads` for reading and writing of bytes. `database` must outlive it.
  IndexedObjects(Database& database, unsigned threads)
      : database_(database), pool_("objects", threads) {}

  // The file that holds these bytes, at staged.offset.
  virtual Result<std::shared_ptr<Fd>> locate(const StagedContent& staged) = 0;
  // On the pool, after the index has let go of them.
  virtual void erase(const content_index::Swept& swept) = 0;

  BlockingPool& pool() { return pool_; }

 private:
  Result<std::vector<struct StoredPiece>> pieces(Tx& tx, ContentId id);

  Database& database_;
  BlockingPool pool_;
};

}  // namespace holdfast::store
