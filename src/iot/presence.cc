// When devices and modules were here: in memory, written down now and then.
#include "iot/devices.h"
#include "iot/rows.h"

namespace holdfast::iot {

using std::string_view;
using store::Tx;

Presence Devices::presence(const Address& address) const {
  const std::lock_guard lock(mutex_);
  const auto found = presence_.find(address);
  return found == presence_.end() ? Presence() : found->second;
}

void Devices::seen(const Address& address, std::optional<bool> connected) {
  const WallTime now = clock_.now();
  const std::lock_guard lock(mutex_);
  if (!by_address_.contains(address)) return;
  Presence& presence = presence_[address];
  presence.last_activity = now;
  if (connected && *connected != presence.connected) {
    presence.connected = *connected;
    presence.changed = now;
  }
  unsaved_[address] = presence;
}

Task<Result<void>> Devices::flush() {
  std::map<Address, Presence> changed;
  {
    const std::lock_guard lock(mutex_);
    changed.swap(unsaved_);
  }
  if (changed.empty()) co_return Result<void>();
  auto work = [changed](Tx& tx) -> Result<void> {
    for (const auto& [address, presence] : changed) {
      TRY_VOID(
          tx.run("UPDATE identity SET connection_changed = ?, last_activity = ? "
                 "WHERE device = ? AND module = ?",
                 {nanos(presence.changed), nanos(presence.last_activity),
                  string_view(address.device), string_view(address.module)}));
    }
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

}  // namespace holdfast::iot
