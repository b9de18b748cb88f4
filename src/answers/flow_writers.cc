#include <algorithm>
#include <iterator>

#include "answers/flow.h"
#include "base/log.h"

// The two writing tasks of a flow: answer files and batch files.
namespace holdfast::answers {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kLook{1000};

// Until `due`, at least 1 ms and at most kLook.
milliseconds until(WallTime due, WallTime now) {
  const auto left = std::chrono::ceil<milliseconds>(due - now);
  return std::clamp(left, milliseconds(1), kLook);
}

}  // namespace

Task<Result<void>> Flow::append(std::string line, std::string id) {
  auto entry = std::make_shared<Append>();
  entry->line = std::move(line);
  entry->id = std::move(id);
  appends_.push_back(entry);
  writer_.notify();
  while (!entry->result) co_await entry->wake.wait(kLook);
  co_return *entry->result;
}

bool Flow::due_to_close() const {
  if (!file_) return false;
  if (file_->has_leftovers()) return true;
  return file_->is_open() && (file_->lines() >= config_.answers->lines ||
                              clock_.now() - file_->opened() >= config_.answers->after);
}

Task<void> Flow::flush() {
  // No more than the open file still takes; not due, so that is at least one.
  std::list<std::shared_ptr<Append>> group;
  const size_t room = config_.answers->lines - file_->lines();
  const auto end =
      std::next(appends_.begin(), static_cast<std::ptrdiff_t>(std::min(room, appends_.size())));
  group.splice(group.begin(), appends_, appends_.begin(), end);
  std::vector<std::string> lines, ids;
  for (const auto& entry : group) {
    lines.push_back(entry->line);
    ids.push_back(entry->id);
  }
  const auto work = [this, lines = std::move(lines), ids = std::move(ids)] {
    return file_->append(lines, ids);
  };
  const Result<void> written = co_await pool_.run(work);
  if (written) unsettled_ += group.size();
  {
    const std::lock_guard lock(mutex_);
    status_.open_lines = file_->lines();
  }
  for (const auto& entry : group) {
    entry->result = written;
    entry->wake.notify();
  }
}

Task<void> Flow::write_answers() {
  while (true) {
    const bool due = due_to_close();
    if (due && recovered_ && unsettled_ == 0) {
      const auto close = [this] { return file_->close(); };
      if (const Result<void> closed = co_await pool_.run(close); !closed) {
        log::warning("answers", "the answer file can not be closed",
                     {{"error", closed.error().message()}});
        co_await sleep_for(kLook);
      }
      const std::lock_guard lock(mutex_);
      status_.open_lines = file_->lines();
    } else if (file_ && !due && !appends_.empty()) {
      // While a close is due, lines wait for the next file: else it might never be settled.
      co_await flush();
    } else {
      const bool open = file_ && file_->is_open() && !due;
      co_await writer_.wait(open ? until(file_->opened() + config_.answers->after, clock_.now())
                                 : kLook);
    }
  }
}

Task<void> Flow::write_batches() {
  const BatchTarget& target = *config_.batches;
  bool planned = true;  // an earlier life may have planned a batch, or left rows
  bool look = true;
  while (true) {
    if (planned) {
      const auto next = [name = config_.transform](store::Tx& tx) { return next_batch(tx, name); };
      auto batch = co_await database_.read(next);
      if (batch && !*batch) {
        planned = false;
        continue;
      }
      Result<void> written;
      if (batch) {
        const uint64_t sequence = (*batch)->sequence;
        const auto write = [&folder = target.folder,
                            held = std::make_shared<transform::Batch>(std::move(**batch))] {
          return transform::write_batch(folder, *held);
        };
        written = co_await pool_.run(write);
        const auto finish = [name = config_.transform, sequence](store::Tx& tx) {
          return finish_batch(tx, name, sequence);
        };
        if (written) written = co_await database_.write(finish);
      } else {
        written = std::unexpected(batch.error());
      }
      if (!written) {
        log::warning("transform", "a batch can not be written",
                     {{"error", written.error().message()}});
        co_await sleep_for(kLook);
      }
      continue;
    }
    const WallTime now = clock_.now();
    if (look || rows_waiting_ >= target.limits.rows ||
        (rows_waiting_ > 0 && now - oldest_row_ >= target.limits.after)) {
      const size_t before = rows_waiting_;
      const auto plan = [name = config_.transform, limits = target.limits, now](store::Tx& tx) {
        return plan_batch(tx, name, limits, now);
      };
      const auto sequence = co_await database_.write(plan);
      const auto count = [name = config_.transform](store::Tx& tx) {
        return count_waiting(tx, name);
      };
      const auto left = co_await database_.read(count);
      planned = sequence && sequence->has_value();
      look = !sequence || !left;
      if (left) {
        // Rows that were added while we asked may be counted twice, never missed.
        rows_waiting_ = left->rows + (rows_waiting_ - before);
        oldest_row_ = left->rows > 0 ? left->oldest : now;
      }
      if (planned) continue;
    }
    co_await batcher_.wait(
        rows_waiting_ > 0 ? until(oldest_row_ + target.limits.after, clock_.now()) : kLook);
  }
}

}  // namespace holdfast::answers
