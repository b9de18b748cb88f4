#include "device/twin_link.h"

#include "base/log.h"
#include "base/merge_patch.h"
#include "net/task.h"

namespace holdfast::device {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr auto kLook = 30s;  // what was not level is tried again

// A hub's section without what the hub adds to it.
json::object plain(const json::value* section) {
  json::object out =
      section != nullptr && section->is_object() ? section->as_object() : json::object();
  out.erase("$version");
  out.erase("$metadata");
  return out;
}

int64_t version_of(const json::object& section) {
  const json::value* found = section.if_contains("$version");
  return found != nullptr && found->is_int64() ? found->as_int64() : -1;
}

}  // namespace

TwinLink::TwinLink(Executor executor, const Identity& identity, std::string module, Desired desired)
    : executor_(executor), module_(std::move(module)), desired_call_(std::move(desired)) {
  Link::Calls calls;
  calls.desired = [this](json::object patch) { patched(std::move(patch)); };
  calls.state = [this](bool connected, const Error* why) {
    if (!connected && whole_)
      log::warning("device", "the hub is away; what was desired last stays",
                   {{"module", module_}, {"why", why != nullptr ? why->message() : ""}});
    whole_ = false;
    wake_.notify();
    if (state_call_) state_call_();
  };
  link_ = std::make_unique<Link>(executor_, identity, module_, std::move(calls));
}

TwinLink::~TwinLink() = default;

void TwinLink::start(TaskGroup& group) {
  link_->start();
  group.spawn(executor_, "twin-link", run());
}

void TwinLink::report(json::object reported) {
  {
    const std::lock_guard lock(mutex_);
    wanted_ = std::move(reported);
    has_wanted_ = true;
  }
  wake_.notify();
}

void TwinLink::patched(json::object patch) {
  heard_ = std::max(heard_, version_of(patch));
  if (whole_ && version_of(patch) == version_of(desired_) + 1) {
    apply_merge_patch(desired_, patch);
    fresh_ = true;
  } else {
    whole_ = false;  // a patch was missed: the whole twin is read
  }
  wake_.notify();
}

Task<Result<void>> TwinLink::read_twin() {
  heard_ = -1;
  CO_TRY(json::object twin, co_await link_->twin());
  desired_ = std::move(twin.at("desired").as_object());
  desired_.erase("$metadata");
  known_ = plain(twin.if_contains("reported"));
  fresh_ = true;
  whole_ = version_of(desired_) >= heard_;  // a patch may have overtaken the answer
  if (!whole_) wake_.notify();
  co_return Result<void>();
}

Task<void> TwinLink::give_desired() {
  fresh_ = false;
  json::object whole = desired_;
  if (auto done = co_await desired_call_(std::move(whole)); !done)
    log::warning("device", "the desired properties could not be taken",
                 {{"module", module_}, {"error", done.error().message()}});
}

// Reads, gives and reports until there is nothing left to do.
Task<Result<void>> TwinLink::level() {
  if (!whole_) CO_TRY_VOID(co_await read_twin());
  while (fresh_) co_await give_desired();
  json::object wanted;
  {
    const std::lock_guard lock(mutex_);
    if (!has_wanted_) co_return Result<void>();
    wanted = wanted_;
  }
  const json::object patch = merge_patch(known_, wanted);
  if (patch.empty()) co_return Result<void>();
  CO_TRY_VOID(co_await link_->patch_reported(patch));
  known_ = std::move(wanted);
  wake_.notify();  // what came meanwhile
  co_return Result<void>();
}

Task<void> TwinLink::run() {
  for (;;) {
    if (link_->connected()) {
      if (auto done = co_await level(); !done) {
        whole_ = false;
        log::warning("device", "the twin is not level with the hub's",
                     {{"module", module_}, {"error", done.error().message()}});
        if (!co_await sleep_for(1s)) co_return;
        continue;
      }
    }
    co_await wake_.wait(kLook);
  }
}

Task<void> TwinLink::stop() {
  co_await link_->stop();
}

}  // namespace holdfast::device
