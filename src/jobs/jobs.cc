#include "jobs/jobs.h"

#include <algorithm>

#include "base/digest.h"
#include "base/log.h"
#include "jobs/code.h"
#include "jobs/rows.h"
#include "jobs/sql_jobs_sql.h"

namespace holdfast::jobs {
namespace {

using store::Tx;

Task<Result<Lineage>> no_models(Input input) {
  co_return fail(Code::not_found, "model_not_found",
                 "there is no model '" + input.data->asset + "'");
}
Task<Result<Pairs>> begin_nothing(Job) {
  co_return Pairs();
}
Task<Result<void>> finish_nothing(Job, Status, std::string) {
  co_return Result<void>();
}

// What an earlier life left: killed already; canceled, queued again, or only to be finished.
Result<std::vector<JobRow>> take_over(store::Database& database) {
  std::vector<JobRow> left;
  TRY_VOID(database.write_now([&left](Tx& tx) -> Result<void> {
    TRY(left, rows_where(tx,
                         "WHERE status NOT IN ('Completed', 'Failed', 'Canceled') "
                         "AND (attempt > 0 OR outcome <> '')",
                         {}));
    return {};
  }));
  for (const JobRow& row : left) {
    if (!row.mark.empty()) TRY_VOID(kill_attempt(row.process, row.mark));
  }
  TRY_VOID(database.write_now([&left](Tx& tx) -> Result<void> {
    for (const JobRow& row : left) {
      if (!row.outcome.empty()) continue;
      TRY_VOID(tx.run(row.cancel ? "UPDATE job SET outcome = 'Canceled', error = 'canceled' "
                                   "WHERE name = ?"
                                 : "UPDATE job SET status = 'Queued', pid = 0 WHERE name = ?",
                      {std::string_view(row.job.name)}));
    }
    return {};
  }));
  return left;
}

}  // namespace

Jobs::Jobs(Options options, store::Database& database, data::Assets& assets, const Clock& clock)
    : options_(std::move(options)),
      database_(database),
      assets_(assets),
      clock_(clock),
      environments_(options_.python, options_.directory + "/environments"),
      pool_("jobs", options_.slots + 2) {
  if (!options_.hooks.resolve_model) options_.hooks.resolve_model = no_models;
  if (!options_.hooks.begin) options_.hooks.begin = begin_nothing;
  if (!options_.hooks.finish) options_.hooks.finish = finish_nothing;
  for (unsigned i = 0; i < options_.slots; ++i) wakes_.push_back(std::make_unique<Wake>());
}

Result<std::unique_ptr<Jobs>> Jobs::open(Options options, store::Database& database,
                                         data::Assets& assets, const Clock& clock) {
  const store::Migration migrations[] = {{1, k_sql_jobs_sql}};
  TRY_VOID(database.migrate("jobs", migrations));
  for (const auto& [name, requirements] : options.environments) {
    TRY_VOID(check_name("an environment", name));
    for (const std::string& requirement : requirements) TRY_VOID(check_requirement(requirement));
  }
  return std::unique_ptr<Jobs>(new Jobs(std::move(options), database, assets, clock));
}

Jobs::~Jobs() {
  stop();
}

Result<void> Jobs::start(Runtime& runtime) {
  TRY(const std::vector<JobRow> left, take_over(database_));
  runtime_ = &runtime;
  stopping_ = false;
  group_ = std::make_unique<TaskGroup>();
  for (const JobRow& row : left) {
    if (!row.outcome.empty() || row.cancel)
      group_->spawn(runtime.next_executor(), "job end", finish(row.job.name));
  }
  for (const auto& wake : wakes_) group_->spawn(runtime.next_executor(), "job slot", slot(*wake));
  return {};
}

void Jobs::stop() {
  if (!group_) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& [name, process] : running_) kill_group(process);
  }
  notify();
  group_->cancel();
  run_task(group_->join());
  group_.reset();
}

void Jobs::notify() {
  for (const auto& wake : wakes_) wake->notify();
}

std::string Jobs::log_path(const std::string& name) const {
  return options_.directory + "/jobs/" + name + "/log";
}
std::string Jobs::attempt_path(const Job& job) const {
  return options_.directory + "/jobs/" + job.name + "/" + std::to_string(job.attempt);
}
std::string Jobs::outputs_path(const Job& job) const {
  return attempt_path(job) + "/outputs";
}

Task<Result<std::string>> Jobs::put_code(std::string tar) {
  auto work = [directory = options_.directory + "/code", tar = std::move(tar)] {
    return jobs::put_code(directory, tar);
  };
  co_return co_await pool_.run(std::move(work));
}

Task<Result<Job>> Jobs::create(std::string name, std::string yaml, std::string code) {
  CO_TRY(const JobSpec spec, parse_job(yaml, "job.yaml"));
  if (name.empty()) name = spec.name;
  if (!spec.name.empty() && spec.name != name)
    co_return fail(Code::invalid_argument,
                   "the request names the job '" + name + "', its YAML '" + spec.name + "'");
  if (name.empty()) name = "job-" + random_uuid();
  CO_TRY_VOID(check_name("the job", name));
  const std::string& environment = spec.environment.name;
  if (!environment.empty() && !options_.environments.contains(environment))
    co_return fail(Code::not_found, "environment_not_found",
                   "there is no environment '" + environment + "'");
  if (!code.empty() && !has_code(options_.directory + "/code", code))
    co_return fail(Code::not_found, "code_not_found", "there is no code '" + code + "'");
  const std::string digest = sha256_hex(as_bytes(code + "\n" + yaml));
  auto work = [name, yaml, code, digest, now = clock_.now()](Tx& tx) -> Result<Job> {
    TRY(auto there, rows_where(tx, "WHERE name = ?", {std::string_view(name)}));
    if (!there.empty() && there.front().digest != digest)
      return fail(Code::conflict, "job_exists",
                  "there is a job '" + name + "' already, with another specification");
    if (!there.empty()) return std::move(there.front().job);
    TRY_VOID(
        tx.run("INSERT INTO job(name, digest, yaml, code, status, created) VALUES(?, ?, ?, ?, "
               "'Queued', ?)",
               {std::string_view(name), std::string_view(digest), std::string_view(yaml),
                std::string_view(code), nanos(now)}));
    TRY(JobRow made, row_of(tx, name));
    return std::move(made.job);
  };
  CO_TRY(Job job, co_await database_.write(std::move(work)));
  notify();
  co_return job;
}

Task<Result<std::vector<Job>>> Jobs::list(size_t limit) {
  auto work = [limit](Tx& tx) -> Result<std::vector<Job>> {
    TRY(auto rows, rows_where(tx, "ORDER BY id DESC LIMIT ?", {static_cast<int64_t>(limit)}));
    std::vector<Job> out;
    for (JobRow& row : rows) out.push_back(std::move(row.job));
    return out;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<Job>> Jobs::find(std::string name) {
  auto work = [name](Tx& tx) -> Result<Job> {
    TRY(JobRow row, row_of(tx, name));
    return std::move(row.job);
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<Job>> Jobs::cancel(std::string name) {
  auto work = [name, now = nanos(clock_.now())](Tx& tx) -> Result<JobRow> {
    TRY(JobRow row, row_of(tx, name));
    if (row.job.status == Status::canceled || row.outcome == "Canceled") return row;
    if (is_final(row.job.status) || !row.outcome.empty())
      return fail(Code::conflict, "job_finished", "the job '" + name + "' is over");
    const char* how = "UPDATE job SET cancel = 1 WHERE name = ?1 AND ?2 > 0";
    if (row.job.status == Status::queued) {
      how = row.job.attempt == 0
                ? "UPDATE job SET status = 'Canceled', outcome = 'Canceled', cancel = 1, "
                  "error = 'canceled', ended = ?2 WHERE name = ?1"
                : "UPDATE job SET outcome = 'Canceled', cancel = 1, error = 'canceled' "
                  "WHERE name = ?1 AND ?2 > 0";
    }
    TRY_VOID(tx.run(how, {std::string_view(name), now}));
    return row_of(tx, name);
  };
  CO_TRY(JobRow row, co_await database_.write(std::move(work)));
  if (is_final(row.job.status)) co_return std::move(row.job);
  const std::lock_guard lock(mutex_);
  if (row.job.status == Status::queued && group_) {
    group_->spawn(runtime_->next_executor(), "job end", finish(name));
    co_return std::move(row.job);
  }
  cancelled_.insert(name);
  if (const auto found = running_.find(name); found != running_.end()) kill_group(found->second);
  co_return std::move(row.job);
}

}  // namespace holdfast::jobs
