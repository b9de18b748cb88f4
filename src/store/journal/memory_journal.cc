#include "store/journal/memory_journal.h"

namespace holdfast::store {

Task<Result<Sequence>> MemoryJournal::append(std::string record) {
  if (record.size() > kRecordLimit)
    co_return fail(Code::too_large, "a journal's record has at most 16 MiB");
  const std::lock_guard lock(mutex_);
  records_.push_back(std::move(record));
  co_return first_ + records_.size() - 1;
}

Result<void> MemoryJournal::replay(
    const std::function<Result<void>(Sequence, std::string_view)>& each) {
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < records_.size(); ++i) TRY_VOID(each(first_ + i, records_[i]));
  return {};
}

Task<Result<void>> MemoryJournal::trim(Sequence upto) {
  const std::lock_guard lock(mutex_);
  for (; first_ <= upto && !records_.empty(); ++first_) records_.pop_front();
  co_return Result<void>();
}

Sequence MemoryJournal::last() const {
  const std::lock_guard lock(mutex_);
  return first_ + records_.size() - 1;
}

Task<Result<Sequence>> FailingJournal::append(std::string record) {
  CO_TRY_VOID(failure_.take());
  co_return co_await inner_.append(std::move(record));
}

Result<void> FailingJournal::replay(
    const std::function<Result<void>(Sequence, std::string_view)>& each) {
  TRY_VOID(failure_.take());
  return inner_.replay(each);
}

Task<Result<void>> FailingJournal::trim(Sequence upto) {
  CO_TRY_VOID(failure_.take());
  co_return co_await inner_.trim(upto);
}

}  // namespace holdfast::store
