#include "net/mqtt/live_session.h"

#include <algorithm>

#include "base/bytes.h"

namespace holdfast::mqtt {

LiveSession::LiveSession(std::string client_id, bool clean, const ServerOptions& options)
    : client_id_(std::move(client_id)), clean_(clean), options_(options) {}

bool LiveSession::connected() const {
  const std::lock_guard lock(mutex_);
  return wire_ != nullptr;
}

std::shared_ptr<void> LiveSession::context() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

std::optional<Qos> LiveSession::granted(std::string_view topic) const {
  const std::lock_guard lock(mutex_);
  std::optional<Qos> best;
  for (const auto& each : subscriptions_) {
    if ((!best || *best < each.qos) && matches(each.filter, topic)) best = each.qos;
  }
  return best;
}

std::vector<Subscription> LiveSession::subscriptions() const {
  const std::lock_guard lock(mutex_);
  return subscriptions_;
}

Result<void> LiveSession::send(Publish message, std::function<void()> acknowledged) {
  std::shared_ptr<Wire> wire;
  {
    const std::lock_guard lock(mutex_);
    if (finished_) return fail(Code::not_found, "the session of '" + client_id_ + "' has ended");
    if (!wire_ && message.qos == Qos::at_most_once)
      return fail(Code::not_found, "'" + client_id_ + "' is not connected");
    if (message.payload.size() > options_.max_payload)
      return fail(Code::too_large, "a message is at most " + format_size(options_.max_payload));
    if (queued_.size() + in_flight_.size() >= options_.max_queued ||
        bytes_ + message.payload.size() > options_.max_queued_bytes)
      return fail(Code::unavailable, "the queue of '" + client_id_ + "' is full");
    bytes_ += message.payload.size();
    message.id = 0;
    message.dup = false;
    queued_.push_back({std::move(message), std::move(acknowledged)});
    wire = wire_;
  }
  if (wire) wire->kick();
  return {};
}

void LiveSession::close(std::string_view why) {
  std::shared_ptr<Wire> wire;
  {
    const std::lock_guard lock(mutex_);
    wire = wire_;
  }
  if (wire) wire->end(Ended::closed_here, why);
}

std::shared_ptr<Wire> LiveSession::attach(std::shared_ptr<Wire> wire,
                                          std::shared_ptr<void> context) {
  const std::lock_guard lock(mutex_);
  // 4.4: what was sent and not acknowledged is sent again, in its order, under its id.
  while (!in_flight_.empty()) {
    in_flight_.back().message.dup = true;
    queued_.push_front(std::move(in_flight_.back()));
    in_flight_.pop_back();
  }
  context_ = std::move(context);
  return std::exchange(wire_, std::move(wire));
}

bool LiveSession::detach(const Wire* wire, MonoTime now) {
  const std::lock_guard lock(mutex_);
  if (wire_.get() != wire) return false;
  wire_.reset();
  detached_ = now;
  // QoS 0 is for a connection that is there.
  std::erase_if(queued_, [this](const Outgoing& each) {
    const bool drop = each.message.qos == Qos::at_most_once;
    if (drop) bytes_ -= each.message.payload.size();
    return drop;
  });
  return true;
}

std::shared_ptr<Wire> LiveSession::finish() {
  const std::lock_guard lock(mutex_);
  finished_ = true;
  queued_.clear();
  in_flight_.clear();
  subscriptions_.clear();
  bytes_ = 0;
  return std::exchange(wire_, nullptr);
}

uint16_t LiveSession::free_id() {
  const auto taken = [this](uint16_t id) {
    const auto has = [id](const Outgoing& each) { return each.message.id == id; };
    return std::any_of(in_flight_.begin(), in_flight_.end(), has) ||
           std::any_of(queued_.begin(), queued_.end(), has);
  };
  do {
    if (++last_id_ == 0) last_id_ = 1;
  } while (taken(last_id_));
  return last_id_;
}

std::string LiveSession::take(const Wire* wire, size_t most,
                              std::vector<std::function<void()>>& sent) {
  const std::lock_guard lock(mutex_);
  std::string out;
  if (wire_.get() != wire) return out;
  while (!queued_.empty() && out.size() < most) {
    Outgoing& next = queued_.front();
    if (next.message.qos == Qos::at_most_once) {
      out += encode(next.message, 0, false);
      bytes_ -= next.message.payload.size();
      if (next.acknowledged) sent.push_back(std::move(next.acknowledged));
    } else {
      if (in_flight_.size() >= options_.max_in_flight) break;
      if (next.message.id == 0) next.message.id = free_id();
      out += encode(next.message, next.message.id, next.message.dup);
      in_flight_.push_back(std::move(next));
    }
    queued_.pop_front();
  }
  return out;
}

std::function<void()> LiveSession::acknowledged(uint16_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(in_flight_.begin(), in_flight_.end(),
                                  [id](const Outgoing& each) { return each.message.id == id; });
  if (found == in_flight_.end()) return {};
  auto call = std::move(found->acknowledged);
  bytes_ -= found->message.payload.size();
  in_flight_.erase(found);
  return call;
}

bool LiveSession::subscribe(Subscription granted) {
  const std::lock_guard lock(mutex_);
  for (auto& each : subscriptions_) {
    if (each.filter != granted.filter) continue;
    each.qos = granted.qos;
    return true;
  }
  if (subscriptions_.size() >= options_.max_subscriptions) return false;
  subscriptions_.push_back(std::move(granted));
  return true;
}

void LiveSession::unsubscribe(std::string_view filter) {
  const std::lock_guard lock(mutex_);
  std::erase_if(subscriptions_, [&](const Subscription& each) { return each.filter == filter; });
}

bool LiveSession::abandoned_since(MonoTime time) const {
  const std::lock_guard lock(mutex_);
  return wire_ == nullptr && detached_ <= time;
}

}  // namespace holdfast::mqtt
