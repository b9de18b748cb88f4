#include "training/triggers.h"

#include <fnmatch.h>

#include <algorithm>

#include "base/log.h"

namespace holdfast::training {
namespace {

using std::chrono::milliseconds;
using store::Tx;

constexpr milliseconds kIdle = std::chrono::minutes(1);
constexpr milliseconds kRetry = std::chrono::seconds(1);

// What comes before the first sign of a pattern.
std::string literal_part(const std::string& glob) {
  return glob.substr(0, glob.find_first_of("*?[\\"));
}

// A young firing is looked at often, since its job may be over at once.
milliseconds pace(const Firing& firing, WallTime now) {
  const auto age = now - firing.updated;
  if (age < std::chrono::seconds(15)) return milliseconds(50);
  return age < std::chrono::minutes(2) ? milliseconds(250) : milliseconds(2000);
}

Firing new_firing(const Trigger& trigger, std::string subject, int64_t version, WallTime now) {
  Firing out;
  out.trigger = trigger.spec.name;
  out.subject = std::move(subject);
  out.version = version;
  out.state = trigger.spec.data ? State::waiting : State::building;
  out.created = out.updated = now;
  return out;
}

struct Open {
  std::vector<Trigger> triggers;
  std::vector<Firing> firings;
};

data::Source source_of(const DataWatch& watch) {
  return {watch.account, watch.container, watch.prefix};
}

void complain(const Error& error, const std::string& trigger) {
  log::warning("training", "a trigger can not go on",
               {{"trigger", trigger}, {"error", error.message()}});
}

}  // namespace

Result<std::unique_ptr<Triggers>> Triggers::open(TriggerParts parts) {
  std::unique_ptr<Triggers> out(new Triggers(parts));
  std::vector<Trigger> there;
  TRY_VOID(parts.database->write_now([&there](Tx& tx) -> Result<void> {
    TRY(there, triggers_of(tx));
    return {};
  }));
  for (const Trigger& trigger : there) out->watch(trigger.spec);
  return out;
}

void Triggers::watch(const TriggerSpec& spec) {
  const std::lock_guard lock(mutex_);
  watched_.erase(spec.name);
  if (spec.data) watched_[spec.name] = Watch{spec.data->account, spec.data->watched(), {}, false};
}

void Triggers::blob_changed(const blob::BlobKey& key) {
  bool anyone = false;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [trigger, watch] : watched_) {
      if (watch.account != key.account || watch.container != key.container) continue;
      watch.changed = parts_.clock->monotonic();
      watch.looked = false;
      anyone = true;
    }
  }
  if (anyone) wake_.notify();
}

milliseconds Triggers::take_due(const TriggerSpec& spec) {
  const std::lock_guard lock(mutex_);
  const auto found = watched_.find(spec.name);
  if (found == watched_.end() || found->second.looked) return kIdle;
  Watch& watch = found->second;
  if (spec.data && spec.data->when.empty() && watch.changed != MonoTime{}) {
    const auto left = watch.changed + spec.data->settle - parts_.clock->monotonic();
    if (left > MonoTime::duration::zero()) return std::chrono::ceil<milliseconds>(left);
  }
  watch.looked = true;
  return milliseconds(0);
}

Task<Result<int64_t>> Triggers::newest_mark(const TriggerSpec& spec) {
  if (!spec.data) {
    const auto newest = co_await parts_.models->versions(spec.model, 1);
    if (!newest && newest.error().code() == Code::not_found) co_return 0;  // no such model yet
    if (!newest) co_return std::unexpected(newest.error());
    co_return newest->empty() ? 0 : newest->front().sequence;
  }
  const DataWatch& data = *spec.data;
  blob::ListQuery query;
  query.prefix = data.below() + literal_part(data.when);
  const std::string glob = data.below() + data.when;
  uint64_t newest = 0;
  do {
    auto page = co_await parts_.blobs->list_blobs(data.account, data.watched(), query);
    if (!page && page.error().code() == Code::not_found) break;  // no container yet
    if (!page) co_return std::unexpected(page.error());
    for (const blob::Info& one : page->items)
      if (data.when.empty() || ::fnmatch(glob.c_str(), one.name.c_str(), FNM_PATHNAME) == 0)
        newest = std::max(newest, one.etag);
    query.marker = std::move(page->next);
  } while (!query.marker.empty());
  co_return static_cast<int64_t>(newest);
}

Task<Result<void>> Triggers::look_at_data(const Trigger& trigger) {
  if (!trigger.spec.data) co_return Result<void>();
  const DataWatch& data = *trigger.spec.data;
  CO_TRY(const int64_t mark, co_await newest_mark(trigger.spec));
  if (mark <= trigger.seen) co_return Result<void>();
  CO_TRY(const data::Version made, co_await parts_.assets->create(data.asset, source_of(data)));
  log::info("training", data.drifting.empty() ? "new data" : "drift",
            {{"trigger", trigger.spec.name},
             {"asset", made.asset},
             {"version", std::to_string(made.number)}});
  co_return co_await add_firing(new_firing(trigger, made.asset, made.number, parts_.clock->now()),
                                mark);
}

Task<Result<void>> Triggers::look_at_models(const Trigger& trigger) {
  CO_TRY(const auto versions, co_await parts_.models->versions_after(trigger.seen, 1000));
  for (const ml::ModelVersion& version : versions) {
    if (version.model != trigger.spec.model) continue;
    CO_TRY_VOID(co_await add_firing(
        new_firing(trigger, version.model, version.number, parts_.clock->now()), version.sequence));
  }
  co_return Result<void>();
}

Task<Result<void>> Triggers::add_firing(Firing firing, int64_t seen) {
  auto work = [firing, seen](Tx& tx) -> Result<void> {
    TRY_VOID(insert_firing(tx, firing));
    return set_seen(tx, firing.trigger, seen);
  };
  co_return co_await parts_.database->write(std::move(work));
}

Task<void> Triggers::run() {
  while (true) co_await wake_.wait(co_await look());
}

Task<milliseconds> Triggers::look_at(const Trigger& trigger) {
  milliseconds quiet = trigger.spec.data ? take_due(trigger.spec) : milliseconds(0);
  if (quiet.count() > 0) co_return quiet;
  Result<void> looked;
  if (trigger.spec.data)
    looked = co_await look_at_data(trigger);
  else
    looked = co_await look_at_models(trigger);
  if (looked) co_return kIdle;
  complain(looked.error(), trigger.spec.name);
  if (!may_pass(looked.error())) co_return kIdle;
  const std::lock_guard lock(mutex_);
  if (const auto found = watched_.find(trigger.spec.name); found != watched_.end())
    found->second.looked = false;
  co_return kRetry;
}

Task<milliseconds> Triggers::look() {
  milliseconds quiet = kIdle;
  auto read = [](Tx& tx) { return triggers_of(tx); };
  const auto triggers = co_await parts_.database->read(std::move(read));
  if (!triggers) {
    complain(triggers.error(), "");
    co_return kRetry;
  }
  for (const Trigger& trigger : *triggers) quiet = std::min(quiet, co_await look_at(trigger));
  // The triggers anew: one that was replaced meanwhile is what its firings are led by.
  auto open = [](Tx& tx) -> Result<Open> {
    Open out;
    TRY(out.triggers, triggers_of(tx));
    TRY(out.firings, firings_where(tx,
                                   "WHERE state IN ('waiting', 'running', 'building', "
                                   "'evaluating', 'deploying') ORDER BY id",
                                   {}));
    return out;
  };
  auto now = co_await parts_.database->read(std::move(open));
  if (!now) {
    complain(now.error(), "");
    co_return kRetry;
  }
  std::vector<std::string> busy;  // one of a trigger at a time: each meets the champion before it
  for (Firing& firing : now->firings) {
    if (firing.state != State::deploying) {
      if (std::ranges::find(busy, firing.trigger) != busy.end()) continue;
      busy.push_back(firing.trigger);
    }
    const auto trigger = std::ranges::find(now->triggers, firing.trigger,
                                           [](const Trigger& one) { return one.spec.name; });
    if (trigger == now->triggers.end()) continue;  // removed meanwhile
    const auto went_on = co_await advance(firing, *trigger);
    if (!went_on) complain(went_on.error(), firing.trigger);
    quiet = std::min(quiet, !went_on   ? kRetry
                            : *went_on ? milliseconds(1)
                                       : pace(firing, parts_.clock->now()));
  }
  co_return quiet;
}

}  // namespace holdfast::training
