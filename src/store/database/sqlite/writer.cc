#include "store/database/sqlite/writer.h"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "store/database/sqlite/log_file.h"
#include "store/database/sync_failure.h"

namespace holdfast::store {

Writer::Writer(const SqliteOptions& options, JobQueue& jobs, SqliteConnection& connection,
               Commits& commits, Snapshots& snapshots, LogSync* log)
    : options_(options),
      jobs_(jobs),
      connection_(connection),
      commits_(commits),
      snapshots_(snapshots),
      log_(log),
      checkpoints_(log != nullptr ? options.path : std::string(), connection, snapshots) {
  thread_ = std::thread([this] { loop(); });
}

Writer::~Writer() {
  jobs_.close();
  thread_.join();
}

void Writer::Group::answer(const Result<void>& durable) {
  for (Member& member : members) {
    member.job.done(!commit    ? Result<void>(std::unexpected(commit.error()))
                    : !durable ? Result<void>(std::unexpected(durable.error()))
                               : std::move(member.outcome));
  }
}

void Writer::loop() {
  for (;;) {
    auto group = std::make_shared<Group>();
    std::vector<Job> jobs = jobs_.pop(options_.group_limit);
    if (jobs.empty()) return;
    if (broken_) sync_failed(options_.path);  // a checkpoint's, which failed no group
    if (broken_ || (log_ != nullptr && log_->broken())) {
      group->commit = after_sync_failure();
    } else {
      if (checkpoints_.all_moved()) snapshots_.let_go();
      group->commit = begin();
    }
    take_in(*group, std::move(jobs));
    // While the commit before is synced, this group takes in what comes.
    const auto enough = [this] { return log_ == nullptr || !log_->busy(); };
    while (group->commit && group->members.size() < options_.group_limit && !enough()) {
      jobs = jobs_.pop_unless(options_.group_limit - group->members.size(), enough);
      if (jobs.empty()) break;
      take_in(*group, std::move(jobs));
    }
    while (group->commit && lose(*group)) {
      group->commit = begin();
      for (Member& member : group->members) run(*group, member);
    }
    if (group->commit) group->commit = end(*group);
    if (log_ == nullptr) {
      group->answer({});
    } else {
      // Also what failed, or changed nothing, may have seen what is not on disk yet.
      log_->when_durable(commits_.visible.load(),
                         [group](const Result<void>& durable) { group->answer(durable); });
    }
  }
}

Result<void> Writer::begin() {
  TRY_VOID(connection_.run("BEGIN IMMEDIATE"));
  return {};
}

void Writer::take_in(Group& group, std::vector<Job> jobs) {
  for (Job& job : jobs) {
    Member& member = group.members.emplace_back();
    member.job = std::move(job);
    run(group, member);
  }
}

void Writer::run(Group& group, Member& member) {
  if (!group.commit || member.lost) return;
  (void)connection_.take_awaited();
  member.outcome = run_inside(member.job);
  member.awaited = connection_.take_awaited();
  if (sqlite3_get_autocommit(connection_.native()) == 0) return;
  // SQLite itself rolled everything back (disk full, I/O error): nobody has succeeded.
  const Result<void>& outcome = member.outcome;
  group.commit = fail(Code::unavailable, outcome ? std::string_view() : outcome.error().reason(),
                      "the database could not write: " +
                          (outcome ? std::string("rolled back") : outcome.error().message()));
}

// Inside a savepoint of its own; what it wrote stays only when it succeeds.
Result<void> Writer::run_inside(Job& job) {
  TRY_VOID(connection_.run("SAVEPOINT member"));
  Result<void> outcome;
  try {
    outcome = job.work(connection_);
  } catch (const std::exception& e) {
    outcome = fail(Code::internal, std::string("a write threw: ") + e.what());
  }
  if (!outcome) {
    // What can not be taken back must not be committed with the others.
    if (!connection_.run("ROLLBACK TO member")) (void)connection_.run("ROLLBACK");
  }
  if (auto released = connection_.run("RELEASE member"); !released)
    return std::unexpected(released.error());
  return outcome;
}

// Waits for what must be on disk first. Whoever's never comes there has failed, and the others
// are to be run again: true, after a rollback.
bool Writer::lose(Group& group) {
  bool any = false;
  for (Member& member : group.members) {
    if (!member.outcome || member.lost) continue;
    for (const auto& ready : member.awaited) {
      if (auto there = ready(); !there) {
        member.outcome = std::move(there);
        member.lost = any = true;
        break;
      }
    }
  }
  if (any) (void)connection_.run("ROLLBACK");
  return any;
}

Result<void> Writer::end(const Group& group) {
  const bool any = std::ranges::any_of(
      group.members, [](const Member& member) { return member.outcome.has_value(); });
  if (any) ++commits_.visible;  // whoever reads during the commit may see it
  auto ended = [&] {
    const DeferredSync deferred(connection_);
    return connection_.run(any ? "COMMIT" : "ROLLBACK");
  }();
  if (any && log_ != nullptr) log_->ended();
  if (ended) {
    if (any && !checkpoints_.committed()) broken_ = true;
    return {};
  }
  // After a failed fsync the kernel may have dropped the pages: nothing later may count as
  // written.
  if ((sqlite3_extended_errcode(connection_.native()) & 0xff) == SQLITE_IOERR) broken_ = true;
  if (sqlite3_get_autocommit(connection_.native()) == 0) (void)connection_.run("ROLLBACK");
  log::error("database", "a commit failed",
             {{"path", options_.path}, {"error", ended.error().message()}});
  if (broken_) sync_failed(options_.path);
  if (broken_) return fail(Code::internal, ended.error().message());
  return std::unexpected(ended.error());
}

}  // namespace holdfast::store
