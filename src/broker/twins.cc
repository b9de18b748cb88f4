#include "broker/twins.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/json_reader.h"
#include "base/merge_patch.h"

namespace holdfast::broker {
namespace {

namespace json = boost::json;
using store::Row;
using store::Tx;

constexpr size_t kLimit = 32 << 10;

int64_t version_of(const json::object& section) {
  const json::value* version = section.if_contains("$version");
  return version != nullptr && version->is_int64() ? version->get_int64() : 0;
}

json::object section(const json::object& twin, const char* name) {
  const json::value* found = twin.if_contains(name);
  json::object out = found != nullptr && found->is_object() ? found->get_object() : json::object();
  out.erase("$metadata");  // modules are not told
  return out;
}

}  // namespace

Result<std::unique_ptr<ModuleTwins>> ModuleTwins::open(store::Database& database) {
  std::unique_ptr<ModuleTwins> twins(new ModuleTwins(database));
  std::optional<Error> wrong;
  TRY_VOID(database.write_now([&](Tx& tx) {
    return tx.each("SELECT module, desired, reported, pending FROM module_twin", {},
                   [&](const Row& row) {
                     auto desired = parse_json_object(row.text(1), "a kept twin");
                     auto reported = parse_json_object(row.text(2), "a kept twin");
                     auto pending = parse_json_object(row.text(3), "a kept twin");
                     if (!desired || !reported || !pending) {
                       wrong = Error(Code::internal, "a kept twin can not be read");
                       return false;
                     }
                     twins->twins_[std::string(row.text(0))] = {
                         std::move(*desired), std::move(*reported), std::move(*pending)};
                     return true;
                   });
  }));
  if (wrong) return std::unexpected(std::move(*wrong));
  return twins;
}

ModuleTwins::Twin ModuleTwins::copy(const std::string& module) const {
  const std::lock_guard lock(mutex_);
  const auto found = twins_.find(module);
  return found == twins_.end() ? Twin() : found->second;
}

Result<json::object> ModuleTwins::get(const std::string& module) const {
  const std::lock_guard lock(mutex_);
  const auto found = twins_.find(module);
  if (found == twins_.end())
    return fail(Code::not_found, "nothing was heard of the twin of '" + module + "' yet");
  return json::object{{"desired", found->second.desired}, {"reported", found->second.reported}};
}

// Writes what stands in memory when the writer comes to it: later changes are in it, never lost.
Task<Result<void>> ModuleTwins::keep(std::string module) {
  const auto work = [this, module](Tx& tx) -> Result<void> {
    const Twin twin = copy(module);
    const std::string desired = json::serialize(twin.desired),
                      reported = json::serialize(twin.reported),
                      pending = json::serialize(twin.pending);
    TRY_VOID(tx.run("INSERT OR REPLACE INTO module_twin VALUES(?,?,?,?)",
                    {std::string_view(module), std::string_view(desired),
                     std::string_view(reported), std::string_view(pending)}));
    return {};
  };
  co_return co_await database_.write(work);
}

Task<Result<int64_t>> ModuleTwins::patch_reported(std::string module, json::object patch) {
  for (const auto& [key, value] : patch)
    if (key.starts_with('$'))
      co_return fail(Code::invalid_argument, "a key must not begin with '$'");
  int64_t version = 0;
  {
    const std::lock_guard lock(mutex_);
    Twin twin = twins_[module];
    version = version_of(twin.reported) + 1;
    apply_merge_patch(twin.reported, patch);
    if (json::serialize(twin.reported).size() > kLimit)
      co_return fail(Code::too_large, "reported properties are over 32 KiB");
    twin.reported["$version"] = version;
    if (!twin.desired.contains("$version")) twin.desired["$version"] = 0;
    join_merge_patches(twin.pending, patch);
    twins_[module] = std::move(twin);
  }
  CO_TRY_VOID(co_await keep(std::move(module)));
  co_return version;
}

json::object ModuleTwins::pending(const std::string& module) const {
  return copy(module).pending;
}

Task<Result<void>> ModuleTwins::accepted(std::string module, json::object sent) {
  {
    const std::lock_guard lock(mutex_);
    // What was reported meanwhile is in `pending` together with what was sent: to send that again
    // changes nothing.
    Twin& twin = twins_[module];
    if (twin.pending == sent) twin.pending.clear();
  }
  co_return co_await keep(std::move(module));
}

Task<Result<std::optional<json::object>>> ModuleTwins::refresh(std::string module,
                                                               json::object whole) {
  json::object desired = section(whole, "desired");
  std::optional<json::object> change;
  {
    const std::lock_guard lock(mutex_);
    Twin& twin = twins_[module];
    if (desired != twin.desired) {
      change = merge_patch(twin.desired, desired);
      change->insert_or_assign("$version", version_of(desired));
    }
    twin.desired = std::move(desired);
    twin.reported = section(whole, "reported");
    apply_merge_patch(twin.reported, twin.pending);
  }
  CO_TRY_VOID(co_await keep(std::move(module)));
  co_return change;
}

Task<Result<bool>> ModuleTwins::patch_desired(std::string module, json::object patch) {
  {
    const std::lock_guard lock(mutex_);
    Twin& twin = twins_[module];
    const int64_t version = version_of(patch), known = version_of(twin.desired);
    if (version != known + 1) co_return version <= known;  // an old one again changes nothing
    apply_merge_patch(twin.desired, patch);
  }
  CO_TRY_VOID(co_await keep(std::move(module)));
  co_return true;
}

Task<Result<void>> ModuleTwins::drop(std::string module) {
  {
    const std::lock_guard lock(mutex_);
    twins_.erase(module);
  }
  const auto work = [module](Tx& tx) -> Result<void> {
    TRY_VOID(tx.run("DELETE FROM module_twin WHERE module = ?", {std::string_view(module)}));
    return {};
  };
  co_return co_await database_.write(work);
}

}  // namespace holdfast::broker
