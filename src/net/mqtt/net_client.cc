#include "net/mqtt/net_client.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

#include "base/log.h"
#include "net/runtime.h"

namespace holdfast::mqtt {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

MonoTime now_mono() {
  return std::chrono::steady_clock::now();
}
Error stopped() {
  return Error(Code::cancelled, "the MQTT client stops");
}

}  // namespace

ClientState::ClientState(Executor executor_, ClientOptions options_)
    : executor(std::move(executor_)),
      options(std::move(options_)),
      pause(executor),
      tick(executor) {}

void ClientState::on_executor(std::function<void(ClientState&)> work) {
  asio::post(executor, [self = shared_from_this(), work = std::move(work)] { work(*self); });
}

Task<Result<void>> ClientState::call(std::shared_ptr<Call> call, std::chrono::milliseconds limit) {
  call->deadline = now_mono() + limit;
  std::function<void(std::function<void()>)> begin = [this, call](std::function<void()> resume) {
    call->resume = std::move(resume);
    on_executor([call](ClientState& state) { state.submit(call); });
  };
  co_await suspend(std::move(begin));
  co_return std::move(call->outcome);
}

void ClientState::finish(const std::shared_ptr<Call>& call, Result<void> outcome) {
  call->outcome = std::move(outcome);
  if (auto resume = std::exchange(call->resume, {})) resume();
}

void ClientState::submit(std::shared_ptr<Call> call) {
  if (stopping) return finish(call, std::unexpected(stopped()));
  if (call->kind == Call::connected && is_connected) return finish(call, {});
  const bool once = call->kind == Call::publish && call->message.qos == Qos::at_most_once;
  if (once && !is_connected)
    return finish(call, fail(Code::unavailable, "no connection to " + options.host));
  if (call->kind == Call::unsubscribe)
    std::erase_if(subscriptions,
                  [&](const Subscription& each) { return each.filter == call->wanted.filter; });
  calls.push_back(std::move(call));
  tick.cancel();
  pump();
}

std::shared_ptr<Call> ClientState::take(Call::Kind kind, uint16_t id) {
  const auto found = std::find_if(calls.begin(), calls.end(), [&](const auto& call) {
    return call->kind == kind && call->message.id == id && id != 0;
  });
  if (found == calls.end()) return nullptr;
  auto call = *found;
  calls.erase(found);
  return call;
}

uint16_t ClientState::free_id() {
  const auto taken = [this](uint16_t id) {
    return id == 0 || renewing == id ||
           std::any_of(calls.begin(), calls.end(),
                       [id](const auto& call) { return call->message.id == id; });
  };
  do {
    ++last_id;
  } while (taken(last_id));
  return last_id;
}

void ClientState::pump() {
  if (!is_connected || closing) return;
  size_t in_flight = 0;
  for (auto it = calls.begin(); it != calls.end();) {
    const auto call = *it;
    if (call->sent) {
      if (call->kind != Call::connected) ++in_flight;
      ++it;
      continue;
    }
    if (call->kind == Call::connected) {
      it = calls.erase(it);
      finish(call, {});
      continue;
    }
    if (in_flight >= options.max_in_flight) break;
    if (call->kind == Call::publish && call->message.qos == Qos::at_most_once) {
      it = calls.erase(it);
      to_write.push_back(call);
      write(encode(call->message, 0, false));
      continue;
    }
    const bool again = call->message.id != 0;
    if (!again) call->message.id = free_id();
    call->sent = true;
    ++in_flight;
    ++it;
    if (call->kind == Call::publish)
      write(encode(call->message, call->message.id, again));
    else if (call->kind == Call::subscribe)
      write(encode(Subscribe{call->message.id, {call->wanted}}));
    else
      write(encode(Unsubscribe{call->message.id, {call->wanted.filter}}));
  }
}

void ClientState::up() {
  is_connected = true;
  connected_since = now_mono();
  last_failure.reset();
  if (options.on_state) options.on_state(true, nullptr);
  pump();
}

void ClientState::down(const Error& reason) {
  const bool was = is_connected.exchange(false);
  last_failure = reason;
  renewing.reset();
  for (const auto& call : calls) call->sent = false;
  for (const auto& call : std::exchange(to_write, {}))
    finish(call, fail(Code::unavailable, "the connection was lost: " + reason.message()));
  if (reason.code() == Code::denied) {
    const auto waiting = calls;
    for (const auto& call : waiting) {
      if (call->kind != Call::connected) continue;
      std::erase(calls, call);
      finish(call, std::unexpected(reason));
    }
  }
  if (was && options.on_state) options.on_state(false, &reason);
}

Task<void> ClientState::run() {
  const auto self = shared_from_this();
  auto delay = options.first_delay;
  while (!stopping) {
    auto ended = co_await connect_once();
    const bool lived = is_connected;
    const bool renewed = why && why->reason() == "renew";
    const Error reason = why ? *why : !ended ? ended.error() : Error(Code::unavailable, "closed");
    why.reset();
    stream.reset();
    down(reason);
    if (stopping) break;
    if (lived) delay = options.first_delay;
    if (renewed) continue;
    log::info("mqtt", "not connected; trying again",
              {{"client", options.client_id}, {"why", reason.message()}});
    // Half of it at random, so that many clients do not come back at one moment.
    const auto half = std::max<int64_t>(delay.count() / 2, 1);
    pause.expires_after(std::chrono::milliseconds(
        half + static_cast<int64_t>(jitter() % static_cast<uint64_t>(half + 1))));
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    delay = std::min(delay * 2, options.longest_delay);
  }
  for (const auto& call : std::exchange(calls, {})) finish(call, std::unexpected(stopped()));
  tick.cancel();
}

MonoTime ClientState::next_check() const {
  MonoTime at = std::min(deadline, pong_deadline);
  for (const auto& call : calls) at = std::min(at, call->deadline);
  if (is_connected) {
    if (options.keep_alive.count() > 0)
      at = std::min(at, last_sent + std::chrono::milliseconds(options.keep_alive) * 3 / 4);
    if (options.renew_after.count() > 0) at = std::min(at, connected_since + options.renew_after);
  }
  return std::clamp(at, now_mono() + 10ms, now_mono() + std::chrono::seconds(60));
}

void ClientState::check(MonoTime now) {
  for (const auto& call : std::deque(calls)) {
    if (now < call->deadline) continue;
    std::erase(calls, call);
    std::string text = "no answer from " + options.host + " in time";
    if (last_failure) text += ": " + last_failure->message();
    finish(call, fail(Code::timed_out, std::move(text)));
  }
  if (now >= deadline) return abort(Error(Code::timed_out, "no answer while connecting"));
  if (now >= pong_deadline) return abort(Error(Code::timed_out, "no answer to a ping"));
  if (!is_connected || closing) return;
  if (options.renew_after.count() > 0 && now >= connected_since + options.renew_after) {
    closing = true;
    why = Error(Code::unavailable, "renew", "connecting again with fresh credentials");
    deadline = now + 1s;
    return write(encode(Disconnect{}));
  }
  if (options.keep_alive.count() > 0 &&
      now >= last_sent + std::chrono::milliseconds(options.keep_alive) * 3 / 4) {
    if (pong_deadline == MonoTime::max())
      pong_deadline = now + std::chrono::milliseconds(options.keep_alive) / 2;
    write(encode(Pingreq{}));
  }
}

Task<void> ClientState::watch() {
  const auto self = shared_from_this();
  while (!stopping || stream || !calls.empty()) {
    tick.expires_at(next_check());
    co_await tick.async_wait(asio::as_tuple(asio::use_awaitable));
    check(now_mono());
  }
}

}  // namespace holdfast::mqtt
