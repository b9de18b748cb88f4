// A database that fails on demand, for tests of what its callers leave behind. Any thread.
#pragma once

#include "store/database/database.h"
#include "store/next_failure.h"

namespace holdfast::store {

// `inner` must outlive it.
class FailingDatabase final : public Database {
 public:
  explicit FailingDatabase(Database& inner) : inner_(inner) {}
  // The next write or read runs, and then fails with `error`, as if its commit had: what it wrote
  // is rolled back.
  void fail_next(Error error) { failure_.set(std::move(error)); }

  Result<void> write_now(std::function<Result<void>(Tx&)> work) override {
    return inner_.write_now(failing(std::move(work)));
  }
  Result<void> migrate(std::string_view component, std::span<const Migration> migrations) override {
    return inner_.migrate(component, migrations);
  }

 protected:
  void submit_write(std::function<Result<void>(Tx&)> work,
                    std::function<void(Result<void>)> done) override {
    forward_write(inner_, failing(std::move(work)), std::move(done));
  }
  void submit_read(std::function<Result<void>(Tx&)> work,
                   std::function<void(Result<void>)> done) override {
    forward_read(inner_, failing(std::move(work)), std::move(done));
  }

 private:
  std::function<Result<void>(Tx&)> failing(std::function<Result<void>(Tx&)> work) {
    return [this, work = std::move(work)](Tx& tx) -> Result<void> {
      TRY_VOID(work(tx));
      return failure_.take();
    };
  }
  Database& inner_;
  NextFailure failure_;
};

}  // namespace holdfast::store
