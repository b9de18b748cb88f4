// The modules that a manifest makes and removes.
#include <algorithm>

#include "iot/devices.h"
#include "iot/rows.h"

namespace holdfast::iot {

using std::string_view;
using store::Row;
using store::Tx;

Result<Devices::Changes> Devices::level_modules(Tx& tx, const std::string& device,
                                                const std::vector<std::string>& wanted) {
  std::map<std::string, std::string> there;  // module → managed by
  TRY_VOID(tx.each("SELECT module, managed_by FROM identity WHERE device = ? AND module <> ''",
                   {string_view(device)}, [&](const Row& row) {
                     there[std::string(row.text(0))] = std::string(row.text(1));
                     return true;
                   }));
  Changes changes;
  changes.turn = ++turn_;
  IdentityWishes by_edge;
  by_edge.managed_by = std::string(kManagedByEdge);
  for (const auto& module : wanted) {
    if (there.contains(module)) continue;
    TRY_VOID(device_wire::check_id(module, "module"));
    Identity identity = make({device, module}, by_edge);
    TRY_VOID(insert_identity(tx, identity, clock_.now()));
    changes.made.push_back(std::move(identity));
  }
  for (const auto& [module, managed_by] : there) {
    if (managed_by != kManagedByEdge || std::ranges::find(wanted, module) != wanted.end()) continue;
    TRY_VOID(delete_identity(tx, {device, module}));
    changes.removed.push_back({device, module});
  }
  return changes;
}

}  // namespace holdfast::iot
