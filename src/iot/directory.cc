// How the registry in memory follows its writes.
#include "iot/devices.h"

namespace holdfast::iot {

void Devices::put(Identity identity, uint64_t revision) {
  if (revision < revisions_[identity.address]) return;
  revisions_[identity.address] = revision;
  auto shared = std::make_shared<const Identity>(std::move(identity));
  auto& place = by_address_[shared->address];
  if (!place && shared->address.module.empty()) ++device_count_;
  // Another one of that name: what was seen of the earlier one is not its.
  if (place && place->generation != shared->generation) presence_.erase(shared->address);
  place = std::move(shared);
}

void Devices::drop(const Address& address, uint64_t revision) {
  if (revision < revisions_[address]) return;
  revisions_[address] = revision;
  if (by_address_.erase(address) > 0 && address.module.empty()) --device_count_;
  presence_.erase(address);
  unsaved_.erase(address);
}

void Devices::begin() {
  const std::lock_guard lock(mutex_);
  ++writes_;
}

void Devices::settle(const RegistryChanges& changes) {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& each : changes.written) put(each, changes.revision);
    for (const auto& each : changes.removed) drop(each, changes.revision);
    if (--writes_ == 0) revisions_.clear();
  }
  if (!on_change_) return;
  for (const auto& each : changes.removed) on_change_(each);
}

Task<Result<RegistryChanges>> Devices::write(
    std::function<Result<RegistryChanges>(store::Tx&)> work) {
  begin();
  auto written = co_await database_.write(std::move(work));
  settle(written ? *written : RegistryChanges());
  co_return written;
}

}  // namespace holdfast::iot
