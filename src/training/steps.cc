// The steps of a firing. Each does at most one effect, which may be done again, and then says what
// the state is.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/log.h"
#include "training/gate.h"
#include "training/job_runs.h"
#include "training/triggers.h"

namespace holdfast::training {
namespace {

namespace json = boost::json;

std::string verdict_json(const Verdict& verdict) {
  json::array findings;
  for (const Finding& one : verdict.findings) {
    json::object out;
    out["metric"] = one.metric;
    out["champion"] = one.champion;
    out["challenger"] = one.challenger;
    out["holds"] = one.holds;
    out["reason"] = one.reason;
    findings.push_back(std::move(out));
  }
  return json::serialize(json::object{{"promoted", verdict.promoted}, {"findings", findings}});
}

std::string reasons(const Verdict& verdict) {
  std::string out;
  for (const Finding& one : verdict.findings)
    if (!one.holds) out += (out.empty() ? "" : "; ") + one.metric + ": " + one.reason;
  return out;
}

const json::object* object_at(const json::object& in, std::string_view key) {
  const json::value* found = in.if_contains(key);
  return found != nullptr && found->is_object() ? &found->get_object() : nullptr;
}

std::string_view text_at(const json::object* in, std::string_view key) {
  const json::value* found = in != nullptr ? in->if_contains(key) : nullptr;
  return found != nullptr && found->is_string() ? std::string_view(found->get_string())
                                                : std::string_view();
}

const json::object* module_in(const json::object& properties, std::string_view module) {
  const json::object* modules = object_at(properties, "modules");
  return modules != nullptr ? object_at(*modules, module) : nullptr;
}

bool names(const json::object* module, const BuiltImage& image) {
  const json::object* settings = module != nullptr ? object_at(*module, "settings") : nullptr;
  return text_at(settings, "digest") == image.layer;
}

}  // namespace

Task<Result<bool>> Triggers::advance(Firing& firing, const Trigger& trigger) {
  const State before = firing.state;
  auto done = co_await step(firing, trigger);
  if (!done && may_pass(done.error())) co_return std::unexpected(done.error());
  if (!done) {
    firing.state = State::failed;
    firing.error = done.error().message();
  }
  if (firing.state == before) co_return false;
  firing.updated = parts_.clock->now();
  auto work = [firing](store::Tx& tx) { return update_firing(tx, firing); };
  CO_TRY_VOID(co_await parts_.database->write(std::move(work)));
  log::info("training", "a firing went on",
            {{"trigger", firing.trigger},
             {"of", firing.subject + ":" + std::to_string(firing.version)},
             {"state", std::string(to_string(firing.state))},
             {"reason", firing.error}});
  co_return true;
}

Task<Result<void>> Triggers::step(Firing& firing, const Trigger& trigger) {
  switch (firing.state) {
    case State::waiting:
      co_return co_await submit(firing, trigger, State::running);
    case State::running: {
      CO_TRY(const auto job, co_await ended_job(firing));
      if (job) firing.state = State::completed;
      co_return Result<void>();
    }
    case State::building:
      co_return co_await wait_for_image(firing, trigger);
    case State::evaluating:
      co_return co_await evaluate(firing, trigger);
    case State::deploying:
      co_return co_await deploy(firing, trigger);
    default:
      co_return Result<void>();
  }
}

Task<Result<void>> Triggers::submit(Firing& firing, const Trigger& trigger, State next) {
  CO_TRY(std::string yaml, bind_job(trigger.job, firing.version));
  CO_TRY(const jobs::Job job,
         co_await parts_.jobs->create(firing.job_name(), std::move(yaml), trigger.code));
  firing.job = job.name;
  firing.state = next;
  co_return Result<void>();
}

// The completed job; nullopt: not over. A job that ended otherwise fails the firing.
Task<Result<std::optional<jobs::Job>>> Triggers::ended_job(const Firing& firing) {
  CO_TRY(const jobs::Job job, co_await parts_.jobs->find(firing.job));
  if (!jobs::is_final(job.status)) co_return std::nullopt;
  if (job.status != jobs::Status::completed)
    co_return fail(Code::invalid_argument,
                   "the job " + job.name + " ended as " + std::string(to_string(job.status)) +
                       ": " + job.error + "; 'holdfast job logs " + job.name + "' shows why");
  co_return job;
}

Task<Result<void>> Triggers::wait_for_image(Firing& firing, const Trigger& trigger) {
  CO_TRY(const auto image, co_await parts_.builds->find(firing.subject, firing.version));
  if (!image) co_return Result<void>();
  if (image->reference.empty() && !trigger.spec.deploy.empty())
    co_return fail(Code::invalid_argument, "it has no image: " + image->error);
  const auto champion =
      co_await parts_.models->version_by_alias(firing.subject, trigger.spec.alias);
  if (!champion && champion.error().code() != Code::not_found)
    co_return std::unexpected(champion.error());
  if (!champion || champion->number == firing.version || !trigger.spec.has_job)
    co_return co_await promote(firing, trigger);
  co_return co_await submit(firing, trigger, State::evaluating);
}

Task<Result<void>> Triggers::evaluate(Firing& firing, const Trigger& trigger) {
  CO_TRY(const auto job, co_await ended_job(firing));
  if (!job) co_return Result<void>();
  CO_TRY(const ml::Run run, co_await parts_.tracking->run(run_id(job->name, job->attempt)));
  const Verdict verdict = judge(trigger.spec.gate, run.metrics);
  firing.verdict = verdict_json(verdict);
  if (verdict.promoted) co_return co_await promote(firing, trigger);
  firing.state = State::refused;
  firing.error = reasons(verdict);
  co_return Result<void>();
}

Task<Result<void>> Triggers::promote(Firing& firing, const Trigger& trigger) {
  CO_TRY_VOID(
      co_await parts_.models->set_alias(firing.subject, trigger.spec.alias, firing.version));
  firing.state = trigger.spec.deploy.empty() ? State::promoted : State::deploying;
  co_return Result<void>();
}

Task<Result<void>> Triggers::deploy(Firing& firing, const Trigger& trigger) {
  CO_TRY(const auto champion,
         co_await parts_.models->version_by_alias(firing.subject, trigger.spec.alias));
  if (champion.number != firing.version) {
    firing.state = State::superseded;
    co_return Result<void>();
  }
  CO_TRY(const auto image, co_await parts_.builds->find(firing.subject, firing.version));
  if (!image) co_return fail(Code::not_found, "its image is gone");
  bool all = true;
  for (const Target& target : trigger.spec.deploy) {
    CO_TRY(const bool there, co_await level(target, *image));
    all = all && there;
  }
  if (all) firing.state = State::deployed;
  co_return Result<void>();
}

// Makes the image what the device's module should be; whether the device reports that it is.
Task<Result<bool>> Triggers::level(const Target& target, const BuiltImage& image) {
  const iot::Address agent{target.device, std::string(iot::kEdgeAgent)};
  CO_TRY(const iot::Twin twin, co_await parts_.twins->get(agent));
  if (!names(module_in(twin.desired.values, target.module), image)) {
    const json::object settings{{"image", image.reference}, {"digest", image.layer}};
    const json::object module{{"type", "model"},
                              {"version", std::to_string(image.version)},
                              {"status", "running"},
                              {"restartPolicy", "always"},
                              {"settings", settings}};
    json::object patch{{"modules", json::object{{target.module, module}}}};
    if (!twin.desired.values.contains("schemaVersion")) patch["schemaVersion"] = "1.1";
    iot::TwinChange change;
    change.desired = std::move(patch);
    CO_TRY_VOID(co_await parts_.twins->patch(agent, std::move(change), std::nullopt));
    co_return false;
  }
  const json::object* reported = module_in(twin.reported.values, target.module);
  co_return names(reported, image) && text_at(reported, "runtimeStatus") == "running";
}

}  // namespace holdfast::training
