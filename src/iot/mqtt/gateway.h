// What MQTT means to the device hub: SAS connects, telemetry, twins, methods. One for a server; see
// hub.h. Any thread may call.
// Source: "Use MQTT to establish communication with IoT Hub"; what the SDKs send decides the rest.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "iot/devices.h"
#include "iot/subscriptions.h"
#include "iot/telemetry.h"
#include "iot/twins.h"
#include "net/mqtt/session.h"
#include "net/wake.h"

namespace holdfast::iot {

struct MethodCall {
  std::string name;
  std::string payload;  // JSON, or empty
  std::chrono::milliseconds answer_within{30'000}, connect_within{0};
};
struct MethodAnswer {
  int status = 0;
  std::string payload;  // as the device sent it
};

class Gateway final : public mqtt::Handler {
 public:
  // Listens to changes of `devices` and `twins`; all must outlive it.
  Gateway(Devices& devices, Twins& twins, Telemetry& telemetry, Subscriptions& subscriptions,
          const Clock& clock);

  // not_found (not_online): not connected, or no listener for methods; timed_out; too_large.
  Task<Result<MethodAnswer>> invoke(Address address, MethodCall call);
  size_t connected_count() const;

  Task<mqtt::ConnectAnswer> connect(const mqtt::Connect& request, const mqtt::Peer& peer) override;
  void connected(const std::shared_ptr<mqtt::Session>& session) override;
  Task<uint8_t> subscribe(std::shared_ptr<mqtt::Session> session,
                          mqtt::Subscription wanted) override;
  void subscribed(const std::shared_ptr<mqtt::Session>& session,
                  const mqtt::Subscription& granted) override;
  Task<void> unsubscribe(std::shared_ptr<mqtt::Session> session, std::string filter) override;
  Task<Result<void>> publish(std::shared_ptr<mqtt::Session> session,
                             mqtt::Publish message) override;
  Task<void> will(std::shared_ptr<mqtt::Session> session, mqtt::Will will) override;
  void disconnected(const std::shared_ptr<mqtt::Session>& session, mqtt::Ended how) override;

 private:
  struct Client {  // the context of a session
    Address address;
    std::string key;  // that signed, base64; empty: a policy's
    bool keeps_session = false;
  };
  struct Pending {
    Wake answered;
    Address from;
    std::optional<MethodAnswer> answer;
  };
  Result<mqtt::ConnectAnswer> check(const mqtt::Connect& request) const;
  Result<std::string> check_token(const mqtt::Connect& request, const std::string& host,
                                  const Identity& identity, WallTime& expires) const;
  Task<Result<void>> take_telemetry(const Client& from, Address claimed, Properties properties,
                                    mqtt::Publish message);
  Task<void> answer_get(std::shared_ptr<mqtt::Session> session, std::string rid);
  Task<void> answer_patch(std::shared_ptr<mqtt::Session> session, std::string rid,
                          std::string payload);
  void identity_changed(const Address& address);
  void desired_changed(const Address& address, uint64_t version, std::string patch);
  std::shared_ptr<mqtt::Session> session_of(const Address& address) const;

  Devices& devices_;
  Twins& twins_;
  Telemetry& telemetry_;
  Subscriptions& subscriptions_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<Address, std::shared_ptr<mqtt::Session>> sessions_;  // connected ones
  std::map<std::string, std::shared_ptr<Pending>> pending_;     // methods, by rid
  std::set<std::shared_ptr<Wake>> awaiting_client_;
};

}  // namespace holdfast::iot
