#include "base/merge_patch.h"
#include "broker/upstream.h"

namespace holdfast::broker {

namespace json = boost::json;

Result<void> MemoryUpstream::here() {
  if (!connected_) return fail(Code::unavailable, "the hub is away");
  if (failures_.empty()) return {};
  const Error error = failures_.front();
  failures_.erase(failures_.begin());
  return std::unexpected(error);
}

bool MemoryUpstream::connected() const {
  const std::lock_guard lock(mutex_);
  return connected_;
}

Task<Result<void>> MemoryUpstream::send(std::string module, device_wire::Properties properties,
                                        std::string body) {
  const std::lock_guard lock(mutex_);
  CO_TRY_VOID(here());
  sent_.push_back({std::move(module), std::move(properties), std::move(body)});
  co_return Result<void>();
}

Task<Result<json::object>> MemoryUpstream::twin(std::string module) {
  const std::lock_guard lock(mutex_);
  CO_TRY_VOID(here());
  const Twin& twin = twins_[module];
  json::object desired = twin.desired, reported = twin.reported;
  desired["$version"] = twin.desired_version;
  reported["$version"] = twin.reported_version;
  co_return json::object{{"desired", std::move(desired)}, {"reported", std::move(reported)}};
}

Task<Result<void>> MemoryUpstream::patch_reported(std::string module, json::object patch) {
  const std::lock_guard lock(mutex_);
  CO_TRY_VOID(here());
  Twin& twin = twins_[module];
  apply_merge_patch(twin.reported, patch);
  ++twin.reported_version;
  co_return Result<void>();
}

void MemoryUpstream::set_connected(bool connected) {
  const std::lock_guard lock(mutex_);
  connected_ = connected;
}

void MemoryUpstream::fail_next(Error error) {
  const std::lock_guard lock(mutex_);
  failures_.push_back(std::move(error));
}

std::vector<MemoryUpstream::Sent> MemoryUpstream::sent() const {
  const std::lock_guard lock(mutex_);
  return sent_;
}

json::object MemoryUpstream::desire(const std::string& module, json::object patch) {
  const std::lock_guard lock(mutex_);
  Twin& twin = twins_[module];
  apply_merge_patch(twin.desired, patch);
  patch["$version"] = ++twin.desired_version;
  return patch;
}

json::object MemoryUpstream::reported(const std::string& module) const {
  const std::lock_guard lock(mutex_);
  const auto found = twins_.find(module);
  return found == twins_.end() ? json::object() : found->second.reported;
}

}  // namespace holdfast::broker
