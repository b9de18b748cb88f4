#include "iot/twins.h"

#include <boost/json/serialize.hpp>

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

void Twins::note(const Twin& before) {
  const std::lock_guard lock(mutex_);
  auto& told = telling_[before.address].told;
  // All that was written before the first writer came has been told.
  if (!told) told = before.desired.version;
}

void Twins::end(const std::vector<Address>& addresses, std::vector<Changed> changes) {
  // Held while telling, so that the order stays.
  const std::lock_guard lock(mutex_);
  for (auto& each : changes) {
    const uint64_t version = each.version;
    telling_[each.address].changes.emplace(version, std::move(each));
  }
  for (const auto& address : addresses) {
    Telling& telling = telling_[address];
    const bool last = --telling.writers == 0;
    while (!telling.changes.empty()) {
      const auto next = telling.changes.begin();
      if (!last && next->first != telling.told.value_or(0) + 1) break;
      telling.told = next->first;
      tell(std::move(next->second));
      telling.changes.erase(next);
    }
    if (last) telling_.erase(address);
  }
}

void Twins::tell(Changed change) {
  change.patch["$version"] = change.version;
  if (on_desired_) on_desired_(change.address, change.version, json::serialize(change.patch));
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
  auto work = [this, address, change, condition, replace_whole, now,
               patch](Tx& tx) -> Result<Twin> {
    TRY(Twin twin, read_twin(tx, address));
    if (change.desired) note(twin);
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
  std::vector<Address> addresses;  // whose desired sections are written
  if (change.desired) addresses.push_back(address);
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
