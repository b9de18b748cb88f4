#include "iot/telemetry.h"

#include "iot/rows.h"

namespace holdfast::iot {
namespace {

using std::string_view;
using store::Row;
using store::Tx;

constexpr size_t kMostWaiting = 256;
constexpr int64_t kSweepStep = 1000;  // rows a transaction, so that messages get in between

}  // namespace

Telemetry::Telemetry(store::Database& database, const Clock& clock, Retention retention)
    : database_(database), clock_(clock), retention_(retention) {}

void Telemetry::tell() {
  const std::lock_guard lock(mutex_);
  for (const auto& each : waiting_) each->notify();
}

Task<Result<uint64_t>> Telemetry::append(Address from, Properties properties, std::string body) {
  const std::string bag = device_wire::encode_properties(properties);
  auto shared = std::make_shared<const std::string>(std::move(body));
  const WallTime now = clock_.now();
  auto work = [from, bag, shared, now](Tx& tx) -> Result<uint64_t> {
    TRY_VOID(
        tx.run("INSERT INTO telemetry(device, module, enqueued, properties, body, running) "
               "VALUES(?, ?, ?, ?, ?, ?6 + coalesce((SELECT running FROM telemetry "
               "ORDER BY sequence DESC LIMIT 1), 0))",
               {string_view(from.device), string_view(from.module), nanos(now), string_view(bag),
                as_bytes(*shared), static_cast<int64_t>(bag.size() + shared->size())}));
    return static_cast<uint64_t>(tx.last_insert_id());
  };
  auto sequence = co_await database_.write(std::move(work));
  if (sequence) tell();
  co_return sequence;
}

Task<Result<std::vector<Message>>> Telemetry::read(std::string device, uint64_t after,
                                                   size_t limit) {
  if (after > INT64_MAX) after = INT64_MAX;
  auto work = [device, after, limit](Tx& tx) -> Result<std::vector<Message>> {
    std::vector<Message> out;
    std::optional<Error> broken;
    const auto row = [&](const Row& each) {
      Message message;
      message.sequence = static_cast<uint64_t>(each.integer(0));
      message.from = {std::string(each.text(1)), std::string(each.text(2))};
      message.enqueued = from_nanos(each.integer(3));
      auto properties = device_wire::decode_properties(each.text(4));
      if (!properties) return broken = properties.error(), false;
      message.properties = std::move(*properties);
      message.body = std::string(as_text(each.blob(5)));
      out.push_back(std::move(message));
      return true;
    };
    const auto from = static_cast<int64_t>(after), most = static_cast<int64_t>(limit);
    if (device.empty()) {
      TRY_VOID(
          tx.each("SELECT sequence, device, module, enqueued, properties, body FROM telemetry "
                  "WHERE sequence > ? ORDER BY sequence LIMIT ?",
                  {from, most}, row));
    } else {
      TRY_VOID(
          tx.each("SELECT sequence, device, module, enqueued, properties, body FROM telemetry "
                  "WHERE device = ? AND sequence > ? ORDER BY sequence LIMIT ?",
                  {string_view(device), from, most}, row));
    }
    if (broken) return std::unexpected(broken->with_context("a stored message"));
    return out;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<std::vector<Message>>> Telemetry::wait(std::string device, uint64_t after, size_t limit,
                                                   std::chrono::milliseconds most) {
  const auto wake = std::make_shared<Wake>();
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= kMostWaiting)
      co_return fail(Code::unavailable, "throttled", "too many wait for messages already");
    waiting_.insert(wake);
  }
  struct Leave {
    Telemetry& telemetry;
    const std::shared_ptr<Wake>& wake;
    ~Leave() {
      const std::lock_guard lock(telemetry.mutex_);
      telemetry.waiting_.erase(wake);
    }
  };
  const Leave leave{*this, wake};
  const auto until = std::chrono::steady_clock::now() + most;
  for (;;) {
    CO_TRY(auto found, co_await read(device, after, limit));
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    if (!found.empty() || left.count() <= 0) co_return found;
    co_await wake->wait(left);
  }
}

Task<Result<uint64_t>> Telemetry::sweep() {
  const auto messages = static_cast<int64_t>(retention_.messages);
  const auto bytes = static_cast<int64_t>(retention_.bytes);
  const int64_t oldest = nanos(clock_.now() - retention_.age);
  uint64_t dropped = 0;
  for (;;) {
    auto work = [messages, bytes, oldest](Tx& tx) -> Result<int64_t> {
      int64_t last = 0, running = 0;
      TRY_VOID(tx.each("SELECT sequence, running FROM telemetry ORDER BY sequence DESC LIMIT 1", {},
                       [&](const Row& row) {
                         last = row.integer(0);
                         running = row.integer(1);
                         return false;
                       }));
      // The last row stays: the next one's running count goes on from it.
      return tx.run(
          "DELETE FROM telemetry WHERE sequence IN (SELECT sequence FROM telemetry "
          "ORDER BY sequence LIMIT ?5) AND sequence < ?4 AND "
          "(sequence <= ?4 - ?1 OR running <= ?6 - ?2 OR enqueued < ?3)",
          {messages, bytes, oldest, last, kSweepStep, running});
    };
    CO_TRY(const int64_t gone, co_await database_.write(std::move(work)));
    dropped += static_cast<uint64_t>(gone);
    if (gone < kSweepStep) co_return dropped;
  }
}

}  // namespace holdfast::iot
