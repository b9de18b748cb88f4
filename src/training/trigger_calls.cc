// What people ask of triggers.
#include "jobs/job_yaml.h"
#include "training/triggers.h"

namespace holdfast::training {
namespace {

using store::Tx;

Result<TriggerSpec> check(const std::string& yaml, const std::string& job,
                          const std::string& code) {
  TRY(TriggerSpec spec, parse_trigger(yaml, "trigger.yaml"));
  if (spec.has_job != !job.empty())
    return fail(Code::invalid_argument,
                spec.has_job ? "create_job names a file, but its text did not come along"
                             : "a job came along that create_job does not name");
  if (job.empty()) {
    if (!code.empty()) return fail(Code::invalid_argument, "there is code, but no job");
    return spec;
  }
  TRY(const std::string bound, bind_job(job, 1));
  TRY(const jobs::JobSpec wanted, jobs::parse_job(bound, "create_job"));
  if (!wanted.name.empty())
    return fail(Code::invalid_argument,
                "create_job must not name its job: every firing makes another one");
  return spec;
}

}  // namespace

Task<Result<Trigger>> Triggers::put(std::string yaml, std::string job, std::string code) {
  CO_TRY(const TriggerSpec spec, check(yaml, job, code));
  watch(spec);  // before the look: what comes between the two is seen
  CO_TRY(const int64_t mark, co_await newest_mark(spec));
  auto work = [yaml, job, code, spec, mark, now = parts_.clock->now()](Tx& tx) -> Result<Trigger> {
    auto old = trigger_of(tx, spec.name);
    if (!old && old.error().code() != Code::not_found) return std::unexpected(old.error());
    // What came since the last look still fires, where the same is watched.
    const bool same = old && old->spec.data.has_value() == spec.data.has_value() &&
                      old->spec.model == spec.model &&
                      (!spec.data || (old->spec.data->account == spec.data->account &&
                                      old->spec.data->watched() == spec.data->watched() &&
                                      old->spec.data->below() == spec.data->below() &&
                                      old->spec.data->when == spec.data->when));
    TRY_VOID(
        tx.run("INSERT INTO trigger_rule(name, yaml, job, code, created, seen) "
               "VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(name) DO UPDATE SET yaml = excluded.yaml, "
               "job = excluded.job, code = excluded.code, seen = excluded.seen",
               {std::string_view(spec.name), std::string_view(yaml), std::string_view(job),
                std::string_view(code), now.time_since_epoch().count(), same ? old->seen : mark}));
    return trigger_of(tx, spec.name);
  };
  CO_TRY(Trigger made, co_await parts_.database->write(std::move(work)));
  wake();
  co_return made;
}

Task<Result<Trigger>> Triggers::find(std::string name) {
  auto work = [name](Tx& tx) { return trigger_of(tx, name); };
  co_return co_await parts_.database->read(std::move(work));
}

Task<Result<std::vector<Trigger>>> Triggers::list() {
  auto work = [](Tx& tx) { return triggers_of(tx); };
  co_return co_await parts_.database->read(std::move(work));
}

Task<Result<void>> Triggers::remove(std::string name) {
  auto work = [name, now = parts_.clock->now()](Tx& tx) -> Result<void> {
    TRY_VOID(trigger_of(tx, name));
    TRY_VOID(tx.run("DELETE FROM trigger_rule WHERE name = ?", {std::string_view(name)}));
    TRY_VOID(
        tx.run("UPDATE firing SET state = 'failed', error = 'the trigger was deleted', "
               "updated = ? WHERE rule = ? AND state IN ('waiting', 'running', 'building', "
               "'evaluating', 'deploying')",
               {now.time_since_epoch().count(), std::string_view(name)}));
    return {};
  };
  CO_TRY_VOID(co_await parts_.database->write(std::move(work)));
  const std::lock_guard lock(mutex_);
  watched_.erase(name);
  co_return Result<void>();
}

Task<Result<Firing>> Triggers::fire(std::string name) {
  CO_TRY(const Trigger trigger, co_await find(name));
  Firing firing;
  firing.trigger = trigger.spec.name;
  firing.created = parts_.clock->now();
  int64_t seen = 0;
  if (trigger.spec.data) {
    const DataWatch& data = *trigger.spec.data;
    CO_TRY(seen, co_await newest_mark(trigger.spec));
    data::Source source{data.account, data.container, data.prefix};
    CO_TRY(const auto made, co_await parts_.assets->create(data.asset, std::move(source)));
    firing.subject = made.asset;
    firing.version = made.number;
    firing.state = State::waiting;
  } else {
    CO_TRY(const auto newest, co_await parts_.models->versions(trigger.spec.model, 1));
    if (newest.empty())
      co_return fail(Code::not_found, "the model '" + trigger.spec.model + "' has no version yet");
    seen = newest.front().sequence;
    firing.subject = newest.front().model;
    firing.version = newest.front().number;
    firing.state = State::building;
  }
  auto work = [firing, seen](Tx& tx) mutable -> Result<Firing> {
    constexpr std::string_view kSame =
        "WHERE rule = ? AND subject = ? AND version = ? ORDER BY turn DESC LIMIT 1";
    TRY(const auto before, firings_where(tx, kSame,
                                         {std::string_view(firing.trigger),
                                          std::string_view(firing.subject), firing.version}));
    firing.turn = before.empty() ? 0 : before.front().turn + 1;
    TRY_VOID(insert_firing(tx, firing));
    TRY_VOID(set_seen(tx, firing.trigger, seen));
    TRY(auto made, firings_where(tx, kSame,
                                 {std::string_view(firing.trigger),
                                  std::string_view(firing.subject), firing.version}));
    return std::move(made.front());
  };
  CO_TRY(Firing made, co_await parts_.database->write(std::move(work)));
  wake();
  co_return made;
}

Task<Result<std::vector<Firing>>> Triggers::firings(std::string name, size_t limit) {
  auto work = [name, limit](Tx& tx) {
    return firings_where(tx, "WHERE ?1 = '' OR rule = ?1 ORDER BY id DESC LIMIT ?2",
                         {std::string_view(name), static_cast<int64_t>(limit)});
  };
  co_return co_await parts_.database->read(std::move(work));
}

}  // namespace holdfast::training
