#include "iot/subscriptions.h"

namespace holdfast::iot {

using std::string_view;
using store::Row;
using store::Tx;

Task<Result<std::vector<mqtt::Subscription>>> Subscriptions::of(Address address) {
  auto work = [address](Tx& tx) -> Result<std::vector<mqtt::Subscription>> {
    std::vector<mqtt::Subscription> out;
    TRY_VOID(tx.each(
        "SELECT filter, qos FROM subscription WHERE device = ? AND module = ?",
        {string_view(address.device), string_view(address.module)}, [&](const Row& row) {
          out.push_back({std::string(row.text(0)),
                         row.integer(1) == 0 ? mqtt::Qos::at_most_once : mqtt::Qos::at_least_once});
          return true;
        }));
    return out;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<void>> Subscriptions::add(Address address, mqtt::Subscription subscription) {
  auto work = [address, subscription](Tx& tx) -> Result<void> {
    TRY_VOID(tx.run("INSERT OR REPLACE INTO subscription VALUES(?, ?, ?, ?)",
                    {string_view(address.device), string_view(address.module),
                     string_view(subscription.filter), static_cast<int64_t>(subscription.qos)}));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Subscriptions::remove(Address address, std::string filter) {
  auto work = [address, filter](Tx& tx) -> Result<void> {
    TRY_VOID(
        tx.run("DELETE FROM subscription WHERE device = ? AND module = ? AND filter = ?",
               {string_view(address.device), string_view(address.module), string_view(filter)}));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Subscriptions::clear(Address address) {
  auto work = [address](Tx& tx) -> Result<void> {
    TRY_VOID(tx.run("DELETE FROM subscription WHERE device = ? AND module = ?",
                    {string_view(address.device), string_view(address.module)}));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

}  // namespace holdfast::iot
