#include "iot/devices.h"

#include "base/digest.h"
#include "iot/rows.h"
#include "iot/sql_iot_sql.h"

namespace holdfast::iot {
namespace {

using std::string_view;
using store::Row;
using store::Tx;

constexpr string_view kOwner = "iothubowner";

Result<void> check_wishes(const IdentityWishes& wishes) {
  for (const auto& key : wishes.keys) {
    if (!key) continue;
    const auto raw = from_base64(*key);
    if (!raw || raw->size() < 16 || raw->size() > 64)
      return fail(Code::invalid_argument, "a symmetric key is 16 to 64 bytes in base64");
  }
  if (wishes.status_reason && wishes.status_reason->size() > 128)
    return fail(Code::invalid_argument, "statusReason is at most 128 bytes");
  return {};
}

}  // namespace

Result<std::unique_ptr<Devices>> Devices::open(store::Database& database, const Clock& clock) {
  const store::Migration migrations[] = {{1, k_sql_iot_sql}};
  TRY_VOID(database.migrate("iot", migrations));
  std::unique_ptr<Devices> devices(new Devices(database, clock));
  TRY_VOID(devices->load());
  return devices;
}

Result<void> Devices::load() {
  const std::array<std::string, 2> fresh = {new_key(), new_key()};
  return database_.write_now([&](Tx& tx) -> Result<void> {
    const std::lock_guard lock(mutex_);
    TRY_VOID(tx.run("INSERT OR IGNORE INTO policy VALUES(?, ?, ?)",
                    {kOwner, string_view(fresh[0]), string_view(fresh[1])}));
    policies_.clear();
    TRY_VOID(tx.each("SELECT name, key1, key2 FROM policy", {}, [&](const Row& row) {
      policies_[std::string(row.text(0))] = {std::string(row.text(1)), std::string(row.text(2))};
      return true;
    }));
    by_address_.clear();
    device_count_ = 0;
    const std::string sql = "SELECT " + std::string(kIdentityColumns) +
                            ", connection_changed, last_activity FROM identity";
    return tx.each(sql, {}, [&](const Row& row) {
      Identity identity = identity_of(row);
      presence_[identity.address] = {false, from_nanos(row.integer(12)),
                                     from_nanos(row.integer(13))};
      put(std::move(identity));
      return true;
    });
  });
}

void Devices::put(Identity identity) {
  auto shared = std::make_shared<const Identity>(std::move(identity));
  auto& place = by_address_[shared->address];
  if (!place && shared->address.module.empty()) ++device_count_;
  // Another one of that name: what was seen of the earlier one is not its.
  if (place && place->generation != shared->generation) presence_.erase(shared->address);
  place = std::move(shared);
}

void Devices::drop(const Address& address) {
  if (by_address_.erase(address) > 0 && address.module.empty()) --device_count_;
  presence_.erase(address);
  unsaved_.erase(address);
}

bool Devices::is_news(const Address& address, uint64_t turn) {
  // Nothing that is still under way is so many commits old.
  constexpr uint64_t kOld = 10'000;
  if (turns_.size() > kOld)
    std::erase_if(turns_, [turn](const auto& entry) { return entry.second + kOld < turn; });
  uint64_t& last = turns_[address];
  if (turn < last) return false;
  last = turn;
  return true;
}

void Devices::settle(const Changes& changes) {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& each : changes.made)
      if (is_news(each.address, changes.turn)) put(each);
    for (const auto& each : changes.removed)
      if (is_news(each, changes.turn)) drop(each);
  }
  if (!on_change_) return;
  for (const auto& each : changes.removed) on_change_(each);
}

Identity Devices::make(Address address, const IdentityWishes& wishes) const {
  Identity out;
  out.address = std::move(address);
  out.generation = hex(as_bytes(random_bytes(9)));
  out.etag = new_etag();
  out.created = out.status_changed = clock_.now();
  out.enabled = wishes.enabled.value_or(true);
  out.status_reason = wishes.status_reason.value_or("");
  for (size_t i = 0; i < 2; ++i) out.keys[i] = wishes.keys[i].value_or("");
  for (auto& key : out.keys) {
    if (key.empty()) key = new_key();
  }
  out.edge = wishes.edge.value_or(false) && out.address.module.empty();
  if (!out.address.module.empty()) out.managed_by = wishes.managed_by.value_or("");
  return out;
}

Task<Result<Identity>> Devices::create(Address address, IdentityWishes wishes) {
  CO_TRY_VOID(device_wire::check_id(address.device, "device"));
  if (!address.module.empty()) CO_TRY_VOID(device_wire::check_id(address.module, "module"));
  CO_TRY_VOID(check_wishes(wishes));
  std::vector<Identity> all = {make(address, wishes)};
  if (all[0].edge) {
    for (const string_view module : {kEdgeAgent, kEdgeHub})
      all.push_back(make({address.device, std::string(module)}, {}));
  }
  const WallTime now = clock_.now();
  auto work = [this, all, now](Tx& tx) -> Result<Changes> {
    const Address& at = all[0].address;
    if (!at.module.empty()) {
      bool there = false;
      TRY_VOID(tx.each("SELECT 1 FROM identity WHERE device = ? AND module = ''",
                       {string_view(at.device)}, [&](const Row&) { return there = true, false; }));
      if (!there) return no_identity({at.device, ""});
    }
    for (const auto& each : all) {
      auto inserted = insert_identity(tx, each, now);
      if (inserted) continue;
      if (inserted.error().code() != Code::conflict) return std::unexpected(inserted.error());
      if (at.module.empty())
        return fail(Code::conflict, "device_exists",
                    "the device '" + at.device + "' exists already");
      return fail(Code::conflict, "module_exists",
                  "the module '" + at.module + "' exists already on '" + at.device + "'");
    }
    return Changes{++turn_, all, {}};
  };
  CO_TRY(const Changes changes, co_await database_.write(std::move(work)));
  settle(changes);
  co_return std::move(all[0]);
}

Task<Result<Identity>> Devices::update(Address address, IdentityWishes wishes, IfMatch condition) {
  CO_TRY_VOID(check_wishes(wishes));
  const WallTime now = clock_.now();
  auto work = [this, address, wishes, condition, now](Tx& tx) -> Result<Changes> {
    std::optional<Identity> found;
    TRY_VOID(tx.each("SELECT " + std::string(kIdentityColumns) +
                         " FROM identity WHERE device = ? AND module = ?",
                     {string_view(address.device), string_view(address.module)},
                     [&](const Row& row) { return found = identity_of(row), false; }));
    if (!found) return no_identity(address);
    TRY_VOID(check_etag(condition, found->etag));
    std::vector<Identity> changed;
    if (wishes.enabled && *wishes.enabled != found->enabled) {
      found->enabled = *wishes.enabled;
      found->status_changed = now;
    }
    if (wishes.status_reason) found->status_reason = *wishes.status_reason;
    for (size_t i = 0; i < 2; ++i) {
      if (wishes.keys[i]) found->keys[i] = *wishes.keys[i];
    }
    if (wishes.managed_by && !address.module.empty()) found->managed_by = *wishes.managed_by;
    if (wishes.edge && address.module.empty()) {
      if (*wishes.edge && !found->edge) {
        for (const string_view module : {kEdgeAgent, kEdgeHub}) {
          Identity system = make({address.device, std::string(module)}, {});
          auto inserted = insert_identity(tx, system, now);
          if (inserted)
            changed.push_back(std::move(system));
          else if (inserted.error().code() != Code::conflict)
            return std::unexpected(inserted.error());
        }
      }
      found->edge = *wishes.edge;
    }
    found->etag = new_etag();
    TRY_VOID(update_identity(tx, *found));
    changed.insert(changed.begin(), std::move(*found));
    return Changes{++turn_, std::move(changed), {}};
  };
  CO_TRY(Changes changes, co_await database_.write(std::move(work)));
  settle(changes);
  if (on_change_) on_change_(address);
  co_return std::move(changes.made[0]);
}

Task<Result<void>> Devices::remove(Address address, IfMatch condition) {
  auto work = [this, address, condition](Tx& tx) -> Result<Changes> {
    std::vector<Address> gone;
    std::string etag;
    TRY_VOID(tx.each("SELECT module, etag FROM identity WHERE device = ?",
                     {string_view(address.device)}, [&](const Row& row) {
                       const std::string module(row.text(0));
                       if (module == address.module) etag = std::string(row.text(1));
                       if (address.module.empty() || module == address.module)
                         gone.push_back({address.device, module});
                       return true;
                     }));
    if (etag.empty()) return no_identity(address);
    TRY_VOID(check_etag(condition, etag));
    TRY_VOID(delete_identity(tx, address));
    return Changes{++turn_, {}, std::move(gone)};
  };
  CO_TRY(const Changes changes, co_await database_.write(std::move(work)));
  settle(changes);
  co_return Result<void>();
}

Result<std::shared_ptr<const Identity>> Devices::find(const Address& address) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_address_.find(address);
  if (found == by_address_.end()) return no_identity(address);
  return found->second;
}

std::vector<std::shared_ptr<const Identity>> Devices::list(size_t limit, string_view after) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const Identity>> out;
  for (auto it = by_address_.lower_bound({std::string(after), ""});
       it != by_address_.end() && out.size() < limit; ++it) {
    if (it->first.module.empty() && (after.empty() || it->first.device != after))
      out.push_back(it->second);
  }
  return out;
}

Result<std::vector<std::shared_ptr<const Identity>>> Devices::modules(
    const std::string& device) const {
  TRY_VOID(find({device, ""}));
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const Identity>> out;
  for (auto it = by_address_.upper_bound({device, ""});
       it != by_address_.end() && it->first.device == device; ++it)
    out.push_back(it->second);
  return out;
}

size_t Devices::size() const {
  const std::lock_guard lock(mutex_);
  return device_count_;
}

Result<std::shared_ptr<const Identity>> Devices::admit(const Address& address) const {
  TRY(const auto device, find({address.device, ""}));
  TRY(auto identity, find(address));
  if (!device->enabled || !identity->enabled)
    return fail(Code::denied, "disabled", "'" + address.text() + "' is disabled");
  return identity;
}

Result<std::array<std::string, 2>> Devices::policy(string_view name) const {
  const auto found = policies_.find(name);
  if (found == policies_.end())
    return fail(Code::not_found, "there is no policy '" + std::string(name) + "'");
  return found->second;
}

}  // namespace holdfast::iot
