#include "store/database/database.h"

#include "net/runtime.h"
#include "store/database/once_done.h"

namespace holdfast::store {

Task<Result<void>> once_done(std::function<void(std::function<void(Result<void>)>)> start) {
  auto outcome = std::make_shared<Result<void>>();  // the caller may be gone by then
  std::function<void(std::function<void()>)> begin = [&start,
                                                      outcome](std::function<void()> resume) {
    start([outcome, resume = std::move(resume)](Result<void> result) {
      *outcome = std::move(result);
      resume();
    });
  };
  co_await suspend(std::move(begin));
  co_return std::move(*outcome);
}

Task<Result<void>> Database::perform(Kind kind, std::function<Result<void>(Tx&)> work) {
  return once_done(
      [this, kind, work = std::move(work)](std::function<void(Result<void>)> done) mutable {
        if (kind == Kind::write) {
          submit_write(std::move(work), std::move(done));
        } else {
          submit_read(std::move(work), std::move(done));
        }
      });
}

}  // namespace holdfast::store
