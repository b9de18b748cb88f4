#include <algorithm>
#include <filesystem>

#include "base/digest.h"
#include "base/log.h"
#include "jobs/jobs.h"
#include "jobs/rows.h"

namespace holdfast::jobs {
namespace {

namespace fs = std::filesystem;
using store::Tx;

constexpr auto kIdle = std::chrono::minutes(1);
constexpr auto kFirstRetry = std::chrono::milliseconds(100);
constexpr auto kLongestRetry = std::chrono::milliseconds(10'000);

}  // namespace

struct Jobs::Claimed {
  Job job;
  std::string mark;
};

Task<void> Jobs::slot(Wake& wake) {
  while (!stopping_) {
    auto claimed = co_await claim();
    std::optional<Claimed> next = claimed ? std::move(*claimed) : std::nullopt;
    if (next) {
      co_await run(std::move(*next));
      continue;
    }
    if (!claimed)
      log::warning("jobs", "the queue can not be read", {{"error", claimed.error().message()}});
    co_await wake.wait(claimed ? std::chrono::milliseconds(kIdle)
                               : std::chrono::milliseconds(1000));
  }
}

Task<Result<std::optional<Jobs::Claimed>>> Jobs::claim() {
  auto work = [mark = random_uuid()](Tx& tx) -> Result<std::optional<Claimed>> {
    TRY(auto rows,
        rows_where(tx, "WHERE status = 'Queued' AND outcome = '' ORDER BY id LIMIT 1", {}));
    if (rows.empty()) return std::optional<Claimed>();
    Claimed out{std::move(rows.front().job), mark};
    TRY_VOID(
        tx.run("UPDATE job SET status = 'Preparing', attempt = attempt + 1, mark = ?, "
               "pid = 0, pid_started = 0 WHERE name = ?",
               {std::string_view(mark), std::string_view(out.job.name)}));
    ++out.job.attempt;
    out.job.status = Status::preparing;
    return std::optional<Claimed>(std::move(out));
  };
  co_return co_await database_.write(std::move(work));
}

Task<void> Jobs::run(Claimed claimed) {
  const std::string name = claimed.job.name;
  const auto code = co_await attempt(claimed);
  {
    const std::lock_guard lock(mutex_);
    running_.erase(name);
  }
  const bool killed = !code || *code != 0;
  if (stopping_ && killed) co_return;  // the next start runs it again
  if (killed && cancelled(name)) {
    co_await conclude(name, Status::canceled, code ? *code : -1, "canceled");
  } else if (!code) {
    co_await conclude(name, Status::failed, -1, code.error().message());
  } else if (*code != 0) {
    co_await conclude(name, Status::failed, *code,
                      "the command ended with " + std::to_string(*code));
  } else {
    co_await conclude(name, Status::completed, 0, "");
  }
}

Task<Result<int>> Jobs::attempt(Claimed& claimed) {
  Job& job = claimed.job;
  CO_TRY_VOID(co_await resolve(job));
  auto folders = [this, &job] { return make_folders(job); };
  CO_TRY_VOID(co_await pool_.run(std::move(folders)));
  CO_TRY_VOID(co_await fill_inputs(job));

  Command command;
  command.directory = attempt_path(job) + "/code";
  command.log = log_path(job.name);
  command.mark = claimed.mark;
  const Recorded recorded = [this, &job](ProcessId process) { return record(job.name, process); };
  std::vector<std::string> requirements = job.spec.environment.pip;
  if (const auto named = options_.environments.find(job.spec.environment.name);
      named != options_.environments.end())
    requirements = named->second;
  auto prepare = [this, &requirements, &command, &recorded] {
    return environments_.prepare(requirements, command, recorded);
  };
  CO_TRY(const std::string interpreter, co_await pool_.run(std::move(prepare)));
  CO_TRY(const Pairs given, co_await options_.hooks.begin(job));
  CO_TRY(std::string text, bound_command(job));
  const char* path = std::getenv("PATH");
  command.environment.emplace_back(
      "PATH", interpreter + ":" + (path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin"));
  command.environment.emplace_back("PYTHONUNBUFFERED", "1");  // the log is followed
  command.environment.emplace_back("ORT_DISABLE_TELEMETRY",
                                   "1");  // nothing of a job is told to anyone
  for (const Pairs& more : {job.spec.variables, given})
    command.environment.insert(command.environment.end(), more.begin(), more.end());
  command.arguments = {"/bin/sh", "-c", std::move(text)};
  CO_TRY_VOID(co_await enter_running(job));
  auto execute = [&command, &recorded] { return run_command(command, recorded); };
  co_return co_await pool_.run(std::move(execute));
}

Task<Result<void>> Jobs::enter_running(Job& job) {
  job.status = Status::running;
  job.started = clock_.now();
  auto work = [name = job.name, now = nanos(job.started)](Tx& tx) -> Result<void> {
    TRY_VOID(tx.run("UPDATE job SET status = 'Running', started = ? WHERE name = ?",
                    {now, std::string_view(name)}));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

// Between fork and exec, on a pool's thread.
Result<void> Jobs::record(const std::string& name, ProcessId process) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || cancelled_.contains(name)) return fail(Code::cancelled, "canceled");
    running_[name] = process;
  }
  return database_.write_now([&name, process](Tx& tx) -> Result<void> {
    TRY_VOID(tx.run(
        "UPDATE job SET pid = ?, pid_started = ? WHERE name = ?",
        {int64_t{process.pid}, static_cast<int64_t>(process.started), std::string_view(name)}));
    return {};
  });
}

bool Jobs::cancelled(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return cancelled_.contains(name);
}

// From here on the job is never run again.
Task<void> Jobs::conclude(std::string name, Status outcome, int exit_code, std::string error) {
  auto delay = kFirstRetry;
  while (true) {
    auto work = [name, exit_code, error, text = to_string(outcome)](Tx& tx) -> Result<void> {
      TRY_VOID(
          tx.run("UPDATE job SET outcome = ?, exit_code = ?, error = ?, pid = 0 WHERE name = ?",
                 {text, int64_t{exit_code}, std::string_view(error), std::string_view(name)}));
      return {};
    };
    const auto done = co_await database_.write(std::move(work));
    if (done) break;
    log::warning("jobs", "an end can not be recorded",
                 {{"job", name}, {"error", done.error().message()}});
    if (!co_await sleep_for(delay)) co_return;
    delay = std::min(delay * 2, kLongestRetry);
  }
  group_->spawn(runtime_->next_executor(), "job end", finish(name));
}

Task<void> Jobs::finish(std::string name) {
  auto delay = kFirstRetry;
  while (!stopping_) {
    auto read = [name](Tx& tx) { return row_of(tx, name); };
    auto row = co_await database_.read(std::move(read));
    Result<void> done;
    if (!row) {
      done = std::unexpected(row.error());
    } else if (is_final(row->job.status)) {
      co_return;
    } else {
      const std::string outcome = row->outcome;
      const auto status = status_of(outcome);
      done = status ? co_await options_.hooks.finish(row->job, *status, outputs_path(row->job))
                    : std::unexpected(status.error());
      if (done) {
        auto close = [name, outcome, now = nanos(clock_.now())](Tx& tx) -> Result<void> {
          TRY_VOID(tx.run("UPDATE job SET status = ?1, ended = ?2 WHERE name = ?3 AND outcome = ?1",
                          {std::string_view(outcome), now, std::string_view(name)}));
          return {};
        };
        done = co_await database_.write(std::move(close));
      }
    }
    if (done) {
      auto clean = [folder = attempt_path(row->job)] {
        std::error_code error;  // what is left is only space
        for (const char* part : {"/inputs", "/code"}) fs::remove_all(folder + part, error);
      };
      co_await pool_.run(std::move(clean));
      const std::lock_guard lock(mutex_);
      cancelled_.erase(name);
      co_return;
    }
    log::warning("jobs", "a job can not be finished yet",
                 {{"job", name}, {"error", done.error().message()}});
    if (!co_await sleep_for(delay)) co_return;
    delay = std::min(delay * 2, kLongestRetry);
  }
}

}  // namespace holdfast::jobs
