// The slow reading of everything.
#include <fcntl.h>

#include <algorithm>

#include "base/log.h"
#include "store/objects/care.h"
#include "store/objects/content.h"
#include "store/objects/content_index.h"

namespace holdfast::store {
namespace {

constexpr auto kEvery = std::chrono::hours(24 * 7);
constexpr auto kTidyEvery = std::chrono::hours(24);
constexpr auto kLook = std::chrono::seconds(1);  // whether a pass is due or asked for
constexpr auto kMark = std::chrono::seconds(5);  // how often the place is kept
constexpr uint64_t kStep = 1 << 20;

int64_t milliseconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}
WallTime wall(int64_t milliseconds) {
  return WallTime(std::chrono::milliseconds(milliseconds));
}

struct Collected final : DamageReports {
  std::vector<Damage> all;
  void damaged(ContentId id, uint64_t at, const std::string& what) override {
    Damage damage;
    damage.content = id;
    damage.at = at;
    damage.what = what;
    all.push_back(std::move(damage));
  }
};

}  // namespace

Task<Result<ScrubState>> ContentCare::state() {
  auto work = [](Tx& tx) -> Result<ScrubState> {
    ScrubState out;
    TRY_VOID(
        tx.each("SELECT cursor, bytes, started, ended FROM content_scrub", {}, [&](const Row& row) {
          out = ScrubState{row.integer(0), row.integer(1), row.integer(2), row.integer(3)};
          return false;
        }));
    return out;
  };
  co_return co_await database_.read(std::move(work));
}

// A pass that is not the newest any more leaves no mark.
Task<Result<void>> ContentCare::mark(ScrubState state, bool begin) {
  auto work = [state, begin](Tx& tx) -> Result<void> {
    TRY_VOID(
        tx.run("UPDATE content_scrub SET cursor = ?1, bytes = ?2, started = ?3, ended = ?4 "
               "WHERE started = ?3 OR ?5",
               {state.cursor, state.bytes, state.started, state.ended, int64_t{begin}}));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Task<void> ContentCare::scrub() {
  std::optional<MonoTime> tidied;
  while (co_await sleep_for(kLook)) {
    if (!tidied || clock_.monotonic() - *tidied >= kTidyEvery) {
      tidied = clock_.monotonic();
      StorageRepair removed;
      if (auto done = co_await remove_orphans(removed); !done)
        log::warning("objects", "orphans stay", {{"error", done.error().message()}});
      if (removed.removed > 0)
        log::info("objects", "orphans are removed",
                  {{"files", std::to_string(removed.removed)},
                   {"bytes", std::to_string(removed.freed_bytes)}});
    }
    const auto now = co_await state();
    if (!now) continue;
    const bool under_way = now->started > 0 && now->ended == 0;
    const bool due = under_way || (rate_ > 0 && clock_.now() - wall(now->ended) >= kEvery);
    if (!wanted_ && !due) continue;
    if (auto done = co_await pass(); !done && done.error().code() != Code::cancelled)
      log::warning("objects", "the scrub stopped", {{"error", done.error().message()}});
  }
}

Task<Result<void>> ContentCare::scrub_now(uint64_t rate) {
  rate_now_ = rate;
  ScrubState from;
  from.started = milliseconds(clock_.now());
  ++round_;
  CO_TRY_VOID(co_await mark(from, true));
  wanted_ = true;
  co_return Result<void>();
}

// From where the last one was, unless that had ended. A new request begins it anew. What is written
// meanwhile is the next one's: a pass would else run behind its writer without an end.
Task<Result<void>> ContentCare::pass() {
  CO_TRY(ScrubState at, co_await state());
  const unsigned round = round_;
  if (at.ended > 0 || at.started == 0) {
    at = ScrubState{0, 0, milliseconds(clock_.now()), 0};
    CO_TRY_VOID(co_await mark(at, true));
  }
  auto newest = [](Tx& tx) -> Result<int64_t> {
    int64_t id = 0;
    TRY_VOID(tx.each("SELECT coalesce(max(id), 0) FROM content", {}, [&](const Row& row) {
      id = row.integer(0);
      return false;
    }));
    return id;
  };
  CO_TRY(const int64_t last, co_await database_.read(std::move(newest)));
  const MonoTime start = clock_.monotonic();
  MonoTime marked = start;
  read_ = static_cast<uint64_t>(at.bytes);
  const uint64_t from = read_;
  for (;;) {
    auto next = [&at](Tx& tx) { return content_index::stored_after(tx, at.cursor, 100); };
    CO_TRY(const auto group, co_await database_.read(std::move(next)));
    if (group.empty() || group.front().id > last) break;
    for (const StagedContent& content : group) {
      if (content.id > last) break;
      CO_TRY_VOID(co_await sleep_for(std::chrono::nanoseconds(1)));  // a stop is seen here
      CO_TRY_VOID(co_await scrub_one(content));
      if (round != round_) co_return Result<void>();  // the next look begins the new one
      read_ += content.size;
      at.cursor = content.id;
      at.bytes = static_cast<int64_t>(read_.load());
      if (clock_.monotonic() - marked >= kMark) {
        marked = clock_.monotonic();
        CO_TRY_VOID(co_await mark(at, false));
      }
    }
  }
  at.ended = std::max<int64_t>(1, milliseconds(clock_.now()));
  CO_TRY_VOID(co_await mark(at, false));
  wanted_ = false;
  rate_now_ = rate_;
  const auto took = std::chrono::duration_cast<std::chrono::seconds>(clock_.monotonic() - start);
  log::info("objects", "everything stored was read",
            {{"bytes", std::to_string(read_ - from)}, {"seconds", std::to_string(took.count())}});
  co_return Result<void>();
}

// Damage goes on record; only what hinders the scrub itself is an error.
Task<Result<void>> ContentCare::scrub_one(const StagedContent& content) {
  Collected found;
  auto open = [this, &content] { return open_bytes(content); };
  auto fd = co_await pool_.run(std::move(open));
  if (!fd && fd.error().code() != Code::not_found) co_return std::unexpected(fd.error());
  if (!fd) {
    found.damaged(static_cast<ContentId>(content.id), 0, "missing: " + fd.error().message());
  } else {
    // What is in memory may be right where the disk is not.
    (void)::posix_fadvise(fd->get(), static_cast<off_t>(content.offset),
                          static_cast<off_t>(content.size), POSIX_FADV_DONTNEED);
    const CheckedPiece piece({content, std::make_shared<Fd>(std::move(*fd))}, found);
    for (uint64_t at = 0; at < content.size;) {
      const MonoTime start = clock_.monotonic();
      auto step = [&] {
        return piece.passed(content.offset + at, std::min(kStep, content.size - at));
      };
      const auto good = co_await pool_.run(std::move(step));
      const uint64_t count = good ? *good : std::min(kStep, content.size - at);
      at += count;
      const uint64_t rate = rate_now_;
      if (rate == 0) continue;
      const auto due = std::chrono::nanoseconds(
          static_cast<int64_t>(1e9 * static_cast<double>(count) / static_cast<double>(rate)));
      const auto left = due - (clock_.monotonic() - start);
      // Small ones are paced together.
      owed_ += left;
      if (owed_ < std::chrono::milliseconds(10)) continue;
      CO_TRY_VOID(co_await sleep_for(owed_));
      owed_ = {};
    }
  }
  if (found.all.empty()) co_return Result<void>();
  for (const Damage& damage : found.all)
    log::error("objects", "stored bytes are damaged",
               {{"content", std::to_string(content.id)},
                {"at", std::to_string(damage.at)},
                {"what", damage.what}});
  auto record = [this, &found](Tx& tx) -> Result<void> {
    for (const Damage& damage : found.all)
      TRY_VOID(
          content_index::record_damage(tx, damage.content, damage.at, damage.what, clock_.now()));
    return {};
  };
  co_return co_await database_.write(std::move(record));
}

Task<Result<ScrubProgress>> ContentCare::progress() {
  CO_TRY(const ScrubState at, co_await state());
  auto count = [](Tx& tx) -> Result<std::pair<int64_t, int64_t>> {
    std::pair<int64_t, int64_t> out;
    TRY_VOID(
        tx.each("SELECT (SELECT coalesce(sum(size), 0) FROM content WHERE kind IN (1, 2) AND "
                "refs > 0), (SELECT count(*) FROM content_damage)",
                {}, [&](const Row& row) {
                  out = {row.integer(0), row.integer(1)};
                  return false;
                }));
    return out;
  };
  CO_TRY(const auto counted, co_await database_.read(std::move(count)));
  ScrubProgress out;
  out.running = at.started > 0 && at.ended == 0;
  out.bytes = out.running ? std::max(static_cast<uint64_t>(at.bytes), read_.load())
                          : static_cast<uint64_t>(at.bytes);
  out.total_bytes = static_cast<uint64_t>(counted.first);
  out.damaged = static_cast<uint64_t>(counted.second);
  out.rate = rate_now_;
  out.started = wall(at.started);
  out.ended = wall(at.ended);
  co_return out;
}

}  // namespace holdfast::store
