#include "store/objects/memory_objects.h"

#include <sys/mman.h>

#include <map>

#include "base/digest.h"
#include "store/next_failure.h"
#include "store/objects/checksums.h"
#include "store/objects/indexed_objects.h"

namespace holdfast::store {
namespace {

// Bytes by name, each in a file that has no place on any disk.
class Shelf {
 public:
  Result<std::shared_ptr<Fd>> make(const std::string& name) {
    auto fd = std::make_shared<Fd>(::memfd_create("content", MFD_CLOEXEC));
    if (!*fd) return std::unexpected(errno_error(errno, "memory for a content"));
    const std::lock_guard lock(mutex_);
    files_[name] = fd;
    return fd;
  }
  Result<std::shared_ptr<Fd>> find(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = files_.find(name);
    if (found == files_.end()) return fail(Code::internal, "the content's bytes are gone");
    return found->second;
  }
  void drop(const std::string& name) {
    const std::lock_guard lock(mutex_);
    files_.erase(name);
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Fd>> files_;
};

class MemoryWriter final : public ContentWriter {
 public:
  MemoryWriter(Shelf& shelf, std::string name, std::shared_ptr<Fd> fd)
      : shelf_(shelf), fd_(std::move(fd)) {
    staged_.file = std::move(name);
  }
  ~MemoryWriter() override {
    if (!finished_) shelf_.drop(staged_.file);
  }
  Task<Result<void>> append(ByteView bytes) override {
    staged_.size += bytes.size();
    sums_.add(bytes);
    co_return write_all(fd_->get(), bytes);
  }
  Task<Result<StagedContent>> finish() override {
    const std::string table = sums_.finish();
    staged_.crc = Crc64::of(as_bytes(table));
    CO_TRY_VOID(write_all(fd_->get(), as_bytes(table)));
    finished_ = true;
    co_return staged_;
  }

 private:
  Shelf& shelf_;
  std::shared_ptr<Fd> fd_;
  StagedContent staged_;
  BlockSums sums_;
  bool finished_ = false;
};

class MemoryObjects final : public IndexedObjects {
 public:
  explicit MemoryObjects(Database& database) : IndexedObjects(database, 1) {}

  Task<Result<std::unique_ptr<ContentWriter>>> create(std::optional<uint64_t>) override {
    std::string name = hex(as_bytes(random_bytes(16)));
    CO_TRY(auto fd, shelf_.make(name));
    co_return std::make_unique<MemoryWriter>(shelf_, std::move(name), std::move(fd));
  }

 private:
  Result<std::shared_ptr<Fd>> locate(const StagedContent& staged) override {
    return shelf_.find(staged.file);
  }
  void erase(const content_index::Swept& swept) override {
    for (const std::string& file : swept.files) shelf_.drop(file);
  }

  Shelf shelf_;
};

class FailingWriter final : public ContentWriter {
 public:
  FailingWriter(std::unique_ptr<ContentWriter> inner, std::shared_ptr<NextFailure> failure)
      : inner_(std::move(inner)), failure_(std::move(failure)) {}
  Task<Result<void>> append(ByteView bytes) override {
    CO_TRY_VOID(failure_->take());
    co_return co_await inner_->append(bytes);
  }
  Task<Result<StagedContent>> finish() override {
    CO_TRY_VOID(failure_->take());
    co_return co_await inner_->finish();
  }

 private:
  std::unique_ptr<ContentWriter> inner_;
  std::shared_ptr<NextFailure> failure_;
};

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_memory_objects(Database& database) {
  TRY_VOID(content_index::migrate(database));
  return std::make_unique<MemoryObjects>(database);
}

FailingObjects::FailingObjects(ObjectStore& inner)
    : inner_(inner), failure_(std::make_shared<NextFailure>()) {}
FailingObjects::~FailingObjects() = default;

void FailingObjects::fail_next(Error error) {
  failure_->set(std::move(error));
}
Task<Result<std::unique_ptr<ContentWriter>>> FailingObjects::create(
    std::optional<uint64_t> size_hint) {
  CO_TRY_VOID(failure_->take());
  CO_TRY(auto writer, co_await inner_.create(size_hint));
  co_return std::make_unique<FailingWriter>(std::move(writer), failure_);
}
Result<ContentId> FailingObjects::add(Tx& tx, const StagedContent& staged) {
  TRY_VOID(failure_->take());
  return inner_.add(tx, staged);
}
Result<ContentId> FailingObjects::concatenate(Tx& tx, const std::vector<ContentId>& parts) {
  TRY_VOID(failure_->take());
  return inner_.concatenate(tx, parts);
}
Result<void> FailingObjects::retain(Tx& tx, ContentId id) {
  TRY_VOID(failure_->take());
  return inner_.retain(tx, id);
}
Result<void> FailingObjects::release(Tx& tx, ContentId id) {
  TRY_VOID(failure_->take());
  return inner_.release(tx, id);
}
Result<std::shared_ptr<OpenContent>> FailingObjects::open(Tx& tx, ContentId id) {
  TRY_VOID(failure_->take());
  return inner_.open(tx, id);
}
Task<Result<void>> FailingObjects::verify(ContentId id) {
  CO_TRY_VOID(failure_->take());
  co_return co_await inner_.verify(id);
}
Task<Result<std::vector<Damage>>> FailingObjects::damages(size_t limit) {
  CO_TRY_VOID(failure_->take());
  co_return co_await inner_.damages(limit);
}
Task<Result<uint64_t>> FailingObjects::sweep() {
  CO_TRY_VOID(failure_->take());
  co_return co_await inner_.sweep();
}

}  // namespace holdfast::store
