// Reads of a few rows by their keys on the caller's own thread, which spares two changes of
// threads, for databases that can.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "store/database/database.h"

namespace holdfast::store {

// What was read, and the last commit that it may have seen.
struct HereRead {
  Result<void> outcome;
  uint64_t commit;
};

// Any thread.
class FewRowsReader {
 public:
  virtual ~FewRowsReader() = default;
  // Runs `work`, reading only, on one consistent snapshot, at once and on this thread; it sees
  // every write that was acknowledged. nullopt: it did not run, for no connection is free.
  virtual std::optional<HereRead> read_here(const std::function<Result<void>(Tx&)>& work) = 0;
  // Nobody may be told of a commit that is not.
  virtual bool durable(uint64_t commit) const = 0;
  // internal: it may never be.
  virtual Task<Result<void>> until_durable(uint64_t commit) = 0;
};

// FewRowsReader::read_here() of work that has a result.
template <class F>
std::optional<HereRead> read_here(FewRowsReader& reader, F& work,
                                  std::optional<std::invoke_result_t<F, Tx&>>& result) {
  return reader.read_here([&work, &result](Tx& tx) -> Result<void> {
    result.emplace(work(tx));
    return {};
  });
}

// As Database::read(), for work that takes no longer than an answer may wait for another one.
template <class F>
Task<std::invoke_result_t<F, Tx&>> read_few(Database& database, F work) {
  if (auto* const reader = dynamic_cast<FewRowsReader*>(&database)) {
    std::optional<std::invoke_result_t<F, Tx&>> result;
    if (auto ran = read_here(*reader, work, result)) {
      if (!reader->durable(ran->commit)) {
        CO_TRY_VOID(co_await reader->until_durable(ran->commit));
      }
      if (!ran->outcome) co_return std::unexpected(std::move(ran->outcome).error());
      co_return std::move(*result);
    }
  }
  co_return co_await database.read(std::move(work));
}

// The same at once. nullopt: no connection is free, or what was read is not on disk yet.
template <class F>
std::optional<std::invoke_result_t<F, Tx&>> read_few_now(Database& database, F work) {
  auto* const reader = dynamic_cast<FewRowsReader*>(&database);
  if (reader == nullptr) return std::nullopt;
  std::optional<std::invoke_result_t<F, Tx&>> result;
  auto ran = read_here(*reader, work, result);
  if (!ran || !reader->durable(ran->commit)) return std::nullopt;
  if (!ran->outcome) return std::unexpected(std::move(ran->outcome).error());
  return result;
}

}  // namespace holdfast::store
