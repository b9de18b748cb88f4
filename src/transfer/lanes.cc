#include "transfer/lanes.h"

#include <optional>

#include "net/task_group.h"

namespace holdfast::transfer {
namespace {

struct State {
  bool stop = false;
  unsigned ended = 0;
  std::optional<Error> error;
};

Task<void> run_one(const Lane& lane, State& state) {
  auto done = co_await lane(state.stop);
  ++state.ended;
  if (done) co_return;
  if (!state.error) state.error = std::move(done.error());
  state.stop = true;
}

}  // namespace

Task<Result<void>> run_lanes(unsigned count, Lane lane) {
  State state;
  TaskGroup group;
  const Executor executor = co_await this_executor();
  for (unsigned i = 0; i < count; ++i) group.spawn(executor, "transfer", run_one(lane, state));
  co_await group.join();
  if (state.error) co_return std::unexpected(std::move(*state.error));
  if (state.ended != count) co_return fail(Code::internal, "a transfer ended by an exception");
  co_return Result<void>();
}

}  // namespace holdfast::transfer
