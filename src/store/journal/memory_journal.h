// A journal in memory, for tests, and one that fails on demand. Any thread.
#pragma once

#include <deque>
#include <mutex>

#include "store/journal/journal.h"
#include "store/next_failure.h"

namespace holdfast::store {

class MemoryJournal final : public Journal {
 public:
  Task<Result<Sequence>> append(std::string record) override;
  Result<void> replay(const std::function<Result<void>(Sequence, std::string_view)>& each) override;
  Task<Result<void>> trim(Sequence upto) override;
  Sequence last() const override;

 private:
  mutable std::mutex mutex_;
  std::deque<std::string> records_;
  Sequence first_ = 1;  // of records_
};

// `inner` must outlive it.
class FailingJournal final : public Journal {
 public:
  explicit FailingJournal(Journal& inner) : inner_(inner) {}
  // The next append, replay or trim fails with `error` and changes nothing.
  void fail_next(Error error) { failure_.set(std::move(error)); }

  Task<Result<Sequence>> append(std::string record) override;
  Result<void> replay(const std::function<Result<void>(Sequence, std::string_view)>& each) override;
  Task<Result<void>> trim(Sequence upto) override;
  Sequence last() const override { return inner_.last(); }

 private:
  Journal& inner_;
  NextFailure failure_;
};

}  // namespace holdfast::store
