// Templates of database.h.
#pragma once

#include <optional>
#include <type_traits>

#include "net/runtime.h"

namespace holdfast::store {
namespace detail {

// What a transaction gave. Shared: the caller may be gone when it ends.
template <class R>
struct Slot {
  using Value = typename R::value_type;
  std::optional<std::conditional_t<std::is_void_v<Value>, bool, Value>> value;
};

// Makes work that keeps its value in `slot`. It may run more than once; the last run counts.
template <class R, class F>
std::function<Result<void>(Tx&)> keeping(std::shared_ptr<Slot<R>> slot, F work) {
  return [slot = std::move(slot), work = std::move(work)](Tx& tx) mutable -> Result<void> {
    R result = work(tx);
    if (!result) return std::unexpected(std::move(result).error());
    if constexpr (!std::is_void_v<typename R::value_type>) slot->value.emplace(std::move(*result));
    return {};
  };
}

template <class R>
R taken(Slot<R>& slot, Result<void> done) {
  if (!done) return std::unexpected(std::move(done).error());
  if constexpr (std::is_void_v<typename R::value_type>) {
    return {};
  } else {
    if (!slot.value) return fail(Code::internal, "a transaction ended without its value");
    return std::move(*slot.value);
  }
}

}  // namespace detail

template <class F>
auto Database::write(F work) -> Task<std::invoke_result_t<F, Tx&>> {
  using R = std::invoke_result_t<F, Tx&>;
  auto slot = std::make_shared<detail::Slot<R>>();
  auto kept = detail::keeping<R>(slot, std::move(work));
  Result<void> done = co_await perform(Kind::write, std::move(kept));
  co_return detail::taken<R>(*slot, std::move(done));
}

template <class F>
auto Database::read(F work) -> Task<std::invoke_result_t<F, Tx&>> {
  using R = std::invoke_result_t<F, Tx&>;
  auto slot = std::make_shared<detail::Slot<R>>();
  auto kept = detail::keeping<R>(slot, std::move(work));
  Result<void> done = co_await perform(Kind::read, std::move(kept));
  co_return detail::taken<R>(*slot, std::move(done));
}

}  // namespace holdfast::store
