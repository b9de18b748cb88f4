// MQTT 3.1.1 packets and their bytes. Pure functions, any thread.
// Source: OASIS Standard "MQTT Version 3.1.1" (29 October 2014), sections 2 and 3.
//
// What is read is checked: lengths, reserved bits, UTF-8, topic names and filters, packet ids. QoS
// 2 is not offered; its packets are `unsupported`, and so are those of other protocol levels.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace holdfast::mqtt {

enum class Qos : uint8_t { at_most_once = 0, at_least_once = 1 };

struct Will {
  std::string topic, payload;
  Qos qos = Qos::at_most_once;
  bool retain = false;
};
struct Connect {
  std::string client_id;  // may be empty where clean_session is set
  bool clean_session = true;
  uint16_t keep_alive = 0;  // seconds; 0: none
  std::optional<Will> will;
  std::optional<std::string> username, password;
};
// The return codes of CONNACK, table 3.1.
enum class ConnectCode : uint8_t {
  accepted = 0,
  bad_protocol = 1,
  bad_client_id = 2,
  unavailable = 3,
  bad_credentials = 4,
  not_authorized = 5,
};
struct Connack {
  bool session_present = false;
  ConnectCode code = ConnectCode::accepted;
};
struct Publish {
  std::string topic, payload;
  Qos qos = Qos::at_least_once;
  uint16_t id = 0;  // for QoS 1; the sender's session sets it
  bool dup = false, retain = false;
};
struct Puback {
  uint16_t id = 0;
};
struct Subscription {
  std::string filter;
  Qos qos = Qos::at_least_once;  // a request for QoS 2 is read as 1
  bool operator==(const Subscription&) const = default;
};
struct Subscribe {
  uint16_t id = 0;
  std::vector<Subscription> filters;
};
// A byte for each filter: 0 or 1 granted, kRefused.
inline constexpr uint8_t kRefused = 0x80;
struct Suback {
  uint16_t id = 0;
  std::vector<uint8_t> codes;
};
struct Unsubscribe {
  uint16_t id = 0;
  std::vector<std::string> filters;
};
struct Unsuback {
  uint16_t id = 0;
};
struct Pingreq {};
struct Pingresp {};
struct Disconnect {};

using Packet = std::variant<Connect, Connack, Publish, Puback, Subscribe, Suback, Unsubscribe,
                            Unsuback, Pingreq, Pingresp, Disconnect>;

struct Decoded {
  Packet packet;
  size_t size = 0;  // bytes that it took
};
// The packet at the front of `bytes`; nullopt where it has not all arrived. `limit` bounds a
// packet's remaining length before anything is kept of it. Fails with invalid_argument (malformed),
// too_large, unsupported (QoS 2; reason "protocol_level": CONNECT of another level, to be answered
// by bad_protocol).
Result<std::optional<Decoded>> decode(std::string_view bytes, size_t limit);

// The packet's bytes. The caller has checked topics and sizes (a text is at most 65,535 bytes).
std::string encode(const Packet& packet);
// The same for a message to be sent under `id`, without a copy of the message.
std::string encode(const Publish& message, uint16_t id, bool dup);

// UTF-8 as 1.5.3 allows it: well formed, no U+0000, no surrogates, at most 65,535 bytes.
bool valid_text(std::string_view text);
// A topic name: not empty, no wildcards. A filter: '#' alone at the end, '+' alone in its level.
bool valid_topic(std::string_view topic);
bool valid_filter(std::string_view filter);
// 4.7: '+' one level, '#' the rest and its parent; neither matches a topic that begins with '$' at
// its first level.
bool matches(std::string_view filter, std::string_view topic);

}  // namespace holdfast::mqtt
