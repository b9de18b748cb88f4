#include "store/database/sync_failure.h"

namespace holdfast::store {
namespace {

std::function<void(const std::string&)>& handler() {
  static std::function<void(const std::string&)> then;
  return then;
}

}  // namespace

void on_sync_failure(std::function<void(const std::string& path)> then) {
  handler() = std::move(then);
}

void sync_failed(const std::string& path) {
  if (handler()) handler()(path);
}

std::unexpected<Error> after_sync_failure() {
  return fail(Code::internal, "the database failed to write to disk before; restart to reopen it");
}

}  // namespace holdfast::store
