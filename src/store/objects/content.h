// Reading stored bytes: the pieces of a content as one stretch, checked as they are read. For
// store/objects alone.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "net/runtime.h"
#include "store/objects/object_store.h"

namespace holdfast::store {

// Where damage is told. Any thread; returns at once.
class DamageReports {
 public:
  virtual ~DamageReports() = default;
  // `at`: the offset in the content `id`.
  virtual void damaged(ContentId id, uint64_t at, const std::string& what) = 0;
};

struct StoredPiece {
  StagedContent at;
  std::shared_ptr<Fd> fd;
};

// One stored content that is not made of others. Any thread.
class CheckedPiece final : public http::FileCheck {
 public:
  // `reports` must outlive it.
  CheckedPiece(StoredPiece piece, DamageReports& reports)
      : piece_(std::move(piece)), reports_(reports) {}

  // `offset` is one of the file.
  Result<uint64_t> passed(uint64_t offset, uint64_t size) const override;
  // The bytes from `at` of the content on; nothing that is not what was written. Blocking.
  Result<void> read(uint64_t at, std::span<std::byte> into) const;
  // Everything. Blocking.
  Result<void> verify() const;

 private:
  bool tabled() const { return piece_.at.sum == Checksum::crc64 && piece_.at.segment == 0; }
  Result<void> read_block(uint64_t begin, std::span<std::byte> block) const;
  Result<std::string_view> table() const;
  Result<void> check_old() const;
  std::unexpected<Error> damage(uint64_t at, const Error& error) const;

  const StoredPiece piece_;
  DamageReports& reports_;
  mutable std::mutex mutex_;
  mutable std::optional<std::string> table_;
};

// `pool` and `reports` must outlive the content.
std::shared_ptr<OpenContent> open_pieces(std::vector<StoredPiece> pieces, BlockingPool& pool,
                                         DamageReports& reports);

}  // namespace holdfast::store
