#include "iot/twins.h"

#include <boost/json/serialize.hpp>

#include <algorithm>

#include "iot/documents.h"
#include "iot/rows.h"

namespace holdfast::iot {
namespace {

namespace json = boost::json;
using store::Tx;

Result<void> check(const TwinChange& change) {
  if (change.tags) TRY_VOID(check_section(*change.tags, "tags"));
  if (change.desired) TRY_VOID(check_section(*change.desired, "properties.desired"));
  return {};
}

Result<void> check_sizes(const Twin& twin) {
  TRY_VOID(check_size(twin.tags, kTagsLimit, "tags"));
  TRY_VOID(check_size(twin.desired.values, kSectionLimit, "properties.desired"));
  return check_size(twin.reported.values, kSectionLimit, "properties.reported");
}

}  // namespace

void Twins::begin(const std::vector<Address>& addresses) {
  const std::lock_guard lock(mutex_);
  for (const auto& each : addresses) ++telling_[each].writers;
}

void Twins::end(const std::vector<Address>& addresses, std::vector<Changed> changes) {
  const std::lock_guard lock(mutex_);
  for (auto& each : changes) telling_[each.address].changes.push_back(std::move(each));
  for (const auto& address : addresses) {
    const auto at = telling_.find(address);
    if (--at->second.writers > 0) continue;
    std::vector<Changed> due = std::move(at->second.changes);
    telling_.erase(at);
    std::ranges::sort(due, {}, &Changed::version);
    for (auto& each : due) {
      each.patch["$version"] = each.version;
      if (on_desired_) on_desired_(each.address, each.version, json::serialize(each.patch));
    }
  }
}

Task<Result<Twin>> Twins::get(Address address) {
  auto work = [address](Tx& tx) { return read_twin(tx, address); };
  co_return co_await database_.read(std::move(work));
}

Task<Result<Twin>> Twins::change(Address address, TwinChange change, IfMatch condition,
                                 bool replace_whole) {
  CO_TRY_VOID(check(change));
  const WallTime now = clock_.now();
  auto patch = std::make_shared<json::object>();
  auto work = [address, change, condition, replace_whole, now, patch](Tx& tx) -> Result<Twin> {
    TRY(Twin twin, read_twin(tx, address));
    TRY_VOID(check_etag(condition, twin.etag));
    if (change.tags) {
      if (replace_whole) twin.tags.clear();
      iot::merge(twin.tags, *change.tags);
    }
    if (change.desired) {
      if (replace_whole) {
        *patch = iot::replace(twin.desired, *change.desired, now, true);
      } else {
        *patch = *change.desired;
        iot::merge(twin.desired, *change.desired, now, true);
      }
    }
    TRY_VOID(check_sizes(twin));
    twin.etag = new_etag();
    ++twin.version;
    TRY_VOID(write_twin(tx, twin));
    return twin;
  };
  const std::vector<Address> addresses = {address};
  begin(addresses);
  auto written = co_await database_.write(std::move(work));
  std::vector<Changed> changes;
  if (written && change.desired)
    changes.push_back({address, written->desired.version, std::move(*patch)});
  end(addresses, std::move(changes));
  co_return written;
}

Task<Result<Twin>> Twins::patch(Address address, TwinChange wanted, IfMatch condition) {
  co_return co_await change(std::move(address), std::move(wanted), std::move(condition), false);
}

Task<Result<Twin>> Twins::replace(Address address, TwinChange wanted, IfMatch condition) {
  co_return co_await change(std::move(address), std::move(wanted), std::move(condition), true);
}

Task<Result<uint64_t>> Twins::patch_reported(Address address, json::object patch) {
  CO_TRY_VOID(check_section(patch, "properties.reported"));
  const WallTime now = clock_.now();
  auto work = [address, patch = std::move(patch), now](Tx& tx) -> Result<uint64_t> {
    TRY(Twin twin, read_twin(tx, address));
    iot::merge(twin.reported, patch, now, false);
    TRY_VOID(check_sizes(twin));
    twin.etag = new_etag();
    ++twin.version;
    TRY_VOID(write_twin(tx, twin));
    return twin.reported.version;
  };
  co_return co_await database_.write(std::move(work));
}

}  // namespace holdfast::iot
