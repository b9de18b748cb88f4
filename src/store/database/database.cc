#include "store/database/database.h"

#include "net/runtime.h"

namespace holdfast::store {

Task<Result<void>> Database::perform(Kind kind, std::function<Result<void>(Tx&)> work) {
  auto outcome = std::make_shared<Result<void>>();  // the caller may be gone when the work ends
  std::function<void(std::function<void()>)> start = [this, kind, outcome,
                                                      &work](std::function<void()> resume) {
    auto done = [outcome, resume = std::move(resume)](Result<void> result) {
      *outcome = std::move(result);
      resume();
    };
    if (kind == Kind::write) {
      submit_write(std::move(work), std::move(done));
    } else {
      submit_read(std::move(work), std::move(done));
    }
  };
  co_await suspend(std::move(start));
  co_return std::move(*outcome);
}

}  // namespace holdfast::store
