#include "events/delivery.h"

#include <algorithm>

#include "base/digest.h"
#include "base/log.h"

namespace holdfast::events {
namespace {

using std::chrono::milliseconds;
using store::Tx;

constexpr size_t kRound = 200;       // events that a stop in between may tell again
constexpr int64_t kWaiting = 10000;  // failed ones, beyond which no new ones are tried
constexpr auto kLook = std::chrono::seconds(1);
constexpr auto kLongest = std::chrono::seconds(60);
constexpr auto kBuryAgain = std::chrono::minutes(5);
constexpr auto kBuryLife = std::chrono::hours(4);

std::string upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

}  // namespace

Task<Result<Posted>> Delivery::post(std::string body, std::string_view kind, int64_t delivery) {
  Posting posting;
  posting.url = subscription_.url;
  posting.body = std::move(body);
  posting.headers = {{"Content-Type", "application/json; charset=utf-8"},
                     {"aeg-event-type", std::string(kind)},
                     {"aeg-subscription-name", upper(subscription_.name)},
                     {"aeg-delivery-count", std::to_string(delivery)},
                     {"aeg-data-version", ""},
                     {"aeg-metadata-version", "1"}};
  return parts_.post(std::move(posting));
}

Task<bool> Delivery::validate() {
  const std::string code = upper(random_uuid());
  std::string body =
      validation_event(code, subscription_.name, parts_.clock->now(), parts_.origins);
  const auto answer = co_await post(std::move(body), "SubscriptionValidation", 0);
  if (answer && answer->status == 200 && validates(answer->body, code)) co_return true;
  log::warning("events", "a webhook has not agreed to be told",
               {{"subscription", subscription_.name}, {"answer", outcome_of(answer).word}});
  co_return false;
}

Task<std::optional<Retry>> Delivery::settle(Retry retry, const Outcome& outcome) {
  const WallTime now = parts_.clock->now();
  retry.outcome = outcome.word;
  retry.tried = now;
  const WallTime end = retry.event.at + subscription_.life;
  const bool spent = retry.attempts >= static_cast<int64_t>(subscription_.attempts);
  if (!outcome.final && !spent && now < end) {
    retry.due = now + retry_delay(retry.attempts);
    co_return retry;
  }
  const std::string_view reason = outcome.final ? "UndeliverableDueToClientError"
                                  : spent       ? "MaxDeliveryAttemptsExceeded"
                                                : "TimeToLiveExceeded";
  if (subscription_.dead_letter_container.empty()) {
    log::warning("events", "an event was not taken, and is dropped",
                 {{"subscription", subscription_.name},
                  {"id", retry.event.id},
                  {"reason", std::string(reason)},
                  {"answer", retry.outcome}});
    co_return std::nullopt;
  }
  std::string hour = format_rfc3339(now, 0).substr(0, 13);  // 2026-11-24T12
  std::ranges::replace(hour, '-', '/');
  std::ranges::replace(hour, 'T', '/');
  std::string name = upper(subscription_.name) + "/" + hour + "/" + retry.event.id + ".json";
  std::string body = dead_letter(retry, reason, now, parts_.origins);
  const auto kept =
      co_await parts_.bury(subscription_.dead_letter_account, subscription_.dead_letter_container,
                           std::move(name), std::move(body));
  if (kept) co_return std::nullopt;
  const bool lost = now >= end + kBuryLife;
  log::error("events", lost ? "a dead letter is lost" : "a dead letter can not be kept",
             {{"subscription", subscription_.name},
              {"id", retry.event.id},
              {"error", kept.error().message()}});
  if (lost) co_return std::nullopt;
  retry.due = now + kBuryAgain;
  co_return retry;
}

// What was not taken before.
Task<Result<void>> Delivery::again() {
  auto find = [name = subscription_.name, now = parts_.clock->now()](Tx& tx) {
    return due_retries(tx, name, now, kRound);
  };
  CO_TRY(std::vector<Retry> due, co_await parts_.database->read(std::move(find)));
  for (Retry& retry : due) {
    Outcome outcome;
    bool refused = false;
    const int64_t seq = retry.event.seq;
    // One whose attempts are spent waits for its burial alone.
    if (retry.attempts < static_cast<int64_t>(subscription_.attempts) &&
        parts_.clock->now() < retry.event.at + subscription_.life) {
      std::string body = to_json(std::span(&retry.event, 1), parts_.origins);
      const auto answer = co_await post(std::move(body), "Notification", retry.attempts);
      outcome = outcome_of(answer);
      refused = !outcome.done && !outcome.final;
      ++retry.attempts;
    } else {
      outcome.word = retry.outcome;
    }
    std::optional<Retry> left;
    if (!outcome.done) left = co_await settle(std::move(retry), outcome);
    auto keep = [name = subscription_.name, seq, left](Tx& tx) -> Result<void> {
      return left ? save_retry(tx, name, *left) : drop_retry(tx, name, seq);
    };
    CO_TRY_VOID(co_await parts_.database->write(std::move(keep)));
    if (refused) break;  // the others can wait as well
  }
  co_return Result<void>();
}

// Whether there may be more.
Task<Result<bool>> Delivery::tell_new(int64_t from) {
  auto find = [from](Tx& tx) { return events_after(tx, from, kRound); };
  CO_TRY(const std::vector<StoredEvent> found, co_await parts_.database->read(std::move(find)));
  if (found.empty()) co_return false;
  int64_t done = from;
  std::vector<Retry> left;
  std::vector<StoredEvent> batch;
  for (size_t i = 0; i < found.size() && left.empty(); ++i) {
    if (wants(subscription_, found[i])) batch.push_back(found[i]);
    const bool full = batch.size() >= subscription_.per_delivery || i + 1 == found.size();
    if (batch.empty()) done = found[i].seq;
    if (batch.empty() || !full) continue;
    std::string body = to_json(batch, parts_.origins);
    const auto answer = co_await post(std::move(body), "Notification", 0);
    const Outcome outcome = outcome_of(answer);
    done = found[i].seq;
    failures_ = outcome.done || outcome.final ? 0 : failures_ + 1;
    for (StoredEvent& event : batch) {
      if (outcome.done) continue;
      Retry retry;
      retry.event = std::move(event);
      retry.attempts = 1;
      if (auto later = co_await settle(std::move(retry), outcome)) left.push_back(*later);
    }
    batch.clear();
  }
  if (failures_ > 0)
    quiet_until_ = parts_.clock->now() + std::min(retry_delay(failures_), kLongest);
  auto keep = [name = subscription_.name, done, left](Tx& tx) -> Result<void> {
    for (const Retry& retry : left) TRY_VOID(save_retry(tx, name, retry));
    TRY_VOID(move_consumer(tx, name, done));
    TRY_VOID(trim(tx));
    return {};
  };
  CO_TRY_VOID(co_await parts_.database->write(std::move(keep)));
  co_return failures_ == 0;
}

Task<Result<milliseconds>> Delivery::step() {
  woken_ = false;
  auto read = [name = subscription_.name](Tx& tx) { return consumer(tx, name); };
  CO_TRY(Consumer at, co_await parts_.database->read(std::move(read)));
  const auto now = [this] { return parts_.clock->now(); };
  if (at.validated != subscription_.url) {
    if (now() < quiet_until_) co_return std::chrono::ceil<milliseconds>(quiet_until_ - now());
    if (!co_await validate()) {
      const auto wait = std::min(retry_delay(++failures_), kLongest);
      quiet_until_ = now() + wait;
      co_return wait;
    }
    failures_ = 0;
    auto keep = [name = subscription_.name, url = subscription_.url](Tx& tx) {
      return set_validated(tx, name, url);
    };
    CO_TRY_VOID(co_await parts_.database->write(std::move(keep)));
  }
  CO_TRY_VOID(co_await again());
  if (now() >= quiet_until_) {
    auto count = [name = subscription_.name](Tx& tx) { return waiting_retries(tx, name); };
    CO_TRY(const int64_t waiting, co_await parts_.database->read(std::move(count)));
    if (waiting < kWaiting) {
      CO_TRY(const bool more, co_await tell_new(at.seq));
      if (more) co_return milliseconds(0);
    }
  }
  auto next = [name = subscription_.name](Tx& tx) { return next_retry(tx, name); };
  CO_TRY(const auto due, co_await parts_.database->read(std::move(next)));
  milliseconds wait = kLook;
  if (due) wait = std::clamp(std::chrono::ceil<milliseconds>(*due - now()), milliseconds(10), wait);
  co_return wait;
}

Task<void> Delivery::run() {
  for (;;) {
    auto wait = co_await step();
    if (!wait) {
      log::error("events", "a round of deliveries failed",
                 {{"subscription", subscription_.name}, {"error", wait.error().message()}});
      wait = std::chrono::seconds(10);
    }
    // A webhook that does not answer is not asked at the pace of what happens.
    if (wait->count() > 0 && parts_.clock->now() >= quiet_until_) {
      co_await wake_.wait(*wait);
    } else if (!co_await sleep_for(*wait)) {
      co_return;
    }
  }
}

}  // namespace holdfast::events
