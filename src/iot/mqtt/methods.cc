// Direct methods: a call from a service, carried to the device and its answer back.
#include "base/digest.h"
#include "device_wire/topics.h"
#include "iot/mqtt/gateway.h"

namespace holdfast::iot {
namespace {

constexpr size_t kPayloadLimit = 128 << 10;
constexpr size_t kMostPending = 1000;

std::chrono::milliseconds left(MonoTime until) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(until -
                                                               std::chrono::steady_clock::now());
}

}  // namespace

Task<Result<MethodAnswer>> Gateway::invoke(Address address, MethodCall call) {
  CO_TRY_VOID(devices_.find(address));
  if (call.payload.size() > kPayloadLimit)
    co_return fail(Code::too_large, "a method's payload is at most 128 KiB");
  if (call.name.empty() || call.name.size() > 100 ||
      call.name.find_first_of("/?#+$") != std::string::npos)
    co_return fail(Code::invalid_argument, "not a method name");
  const std::string rid = hex(as_bytes(random_bytes(8)));
  std::string topic = device_wire::method_request_topic(call.name, rid);

  const auto arrival = std::make_shared<Wake>();
  const auto pending = std::make_shared<Pending>();
  pending->from = address;
  {
    const std::lock_guard lock(mutex_);
    if (pending_.size() >= kMostPending)
      co_return fail(Code::unavailable, "throttled", "too many methods are under way");
    pending_[rid] = pending;
    awaiting_client_.insert(arrival);
  }
  struct Leave {
    Gateway& gateway;
    const std::string& rid;
    const std::shared_ptr<Wake>& arrival;
    ~Leave() {
      const std::lock_guard lock(gateway.mutex_);
      gateway.pending_.erase(rid);
      gateway.awaiting_client_.erase(arrival);
    }
  };
  const Leave leave{*this, rid, arrival};

  const MonoTime connected_by = std::chrono::steady_clock::now() + call.connect_within;
  std::shared_ptr<mqtt::Session> session;
  for (;;) {
    session = session_of(address);
    if (session && session->connected() && session->granted(topic)) break;
    if (left(connected_by).count() <= 0)
      co_return fail(Code::not_found, "not_online",
                     "'" + address.text() + "' is not connected, or takes no methods");
    co_await arrival->wait(left(connected_by));
  }
  const MonoTime answered_by = std::chrono::steady_clock::now() + call.answer_within;
  CO_TRY_VOID(session->send({std::move(topic), std::move(call.payload), mqtt::Qos::at_most_once}));
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (pending->answer) co_return std::move(*pending->answer);
    }
    if (left(answered_by).count() <= 0)
      co_return fail(Code::timed_out, "'" + address.text() + "' did not answer in time");
    co_await pending->answered.wait(left(answered_by));
  }
}

}  // namespace holdfast::iot
