#include "net/mqtt/packet.h"

namespace holdfast::mqtt {
namespace {

Error malformed(std::string text) {
  return Error(Code::invalid_argument, "malformed_packet", "MQTT: " + text);
}
std::unexpected<Error> refuse(std::string text) {
  return std::unexpected(malformed(std::move(text)));
}

// Reads a packet's remaining bytes, each length checked before it is used.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  Result<uint8_t> byte(std::string_view what) {
    if (bytes_.empty()) return cut(what);
    const auto value = static_cast<uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return value;
  }
  Result<uint16_t> number(std::string_view what) {
    TRY(const uint8_t high, byte(what));
    TRY(const uint8_t low, byte(what));
    return static_cast<uint16_t>(high << 8 | low);
  }
  Result<std::string> binary(std::string_view what) {
    TRY(const uint16_t length, number(what));
    if (bytes_.size() < length) return cut(what);
    std::string value(bytes_.substr(0, length));
    bytes_.remove_prefix(length);
    return value;
  }
  Result<std::string> text(std::string_view what) {
    TRY(std::string value, binary(what));
    if (!valid_text(value)) return refuse(std::string(what) + " is not allowed UTF-8");
    return value;
  }
  Result<uint16_t> id() {
    TRY(const uint16_t value, number("the packet id"));
    if (value == 0) return refuse("a packet id is not 0");
    return value;
  }
  std::string rest() {
    std::string value(bytes_);
    bytes_ = {};
    return value;
  }
  bool empty() const { return bytes_.empty(); }

 private:
  static std::unexpected<Error> cut(std::string_view what) {
    return refuse("the packet ends within " + std::string(what));
  }
  std::string_view bytes_;
};

Result<Qos> qos_of(unsigned bits) {
  if (bits == 2) return fail(Code::unsupported, "MQTT: QoS 2 is not offered");
  if (bits > 2) return refuse("there is no QoS 3");
  return static_cast<Qos>(bits);
}

Result<Packet> connect(Reader& in) {
  TRY(const std::string protocol, in.text("the protocol name"));
  TRY(const uint8_t level, in.byte("the protocol level"));
  if (protocol != "MQTT" || level != 4) {
    // The older name and later levels are clients that can be told; anything else is no client.
    if (protocol == "MQTT" || protocol == "MQIsdp")
      return fail(Code::unsupported, "protocol_level", "MQTT: only version 3.1.1 is offered");
    return refuse("the protocol is not MQTT");
  }
  TRY(const uint8_t flags, in.byte("the connect flags"));
  if ((flags & 1) != 0) return refuse("the reserved connect flag is set");
  const bool has_will = (flags & 0x04) != 0, has_user = (flags & 0x80) != 0,
             has_password = (flags & 0x40) != 0;
  if (!has_will && (flags & 0x38) != 0) return refuse("will flags without a will");
  if (has_password && !has_user) return refuse("a password without a user name");
  Connect packet;
  packet.clean_session = (flags & 0x02) != 0;
  TRY(packet.keep_alive, in.number("the keep-alive"));
  TRY(packet.client_id, in.text("the client id"));
  if (has_will) {
    Will will;
    const unsigned bits = flags >> 3 & 3;
    if (bits > 2) return refuse("there is no QoS 3");
    will.qos = bits == 0 ? Qos::at_most_once : Qos::at_least_once;
    will.retain = (flags & 0x20) != 0;
    TRY(will.topic, in.text("the will's topic"));
    if (!valid_topic(will.topic)) return refuse("the will's topic is not a topic name");
    TRY(will.payload, in.binary("the will"));
    packet.will = std::move(will);
  }
  if (has_user) {
    TRY(packet.username, in.text("the user name"));
  }
  if (has_password) {
    TRY(packet.password, in.binary("the password"));
  }
  return packet;
}

Result<Packet> connack(Reader& in) {
  TRY(const uint8_t flags, in.byte("the flags"));
  TRY(const uint8_t code, in.byte("the return code"));
  if (flags > 1 || code > 5 || (flags == 1 && code != 0)) return refuse("not a CONNACK");
  return Connack{flags == 1, static_cast<ConnectCode>(code)};
}

Result<Packet> publish(Reader& in, unsigned flags) {
  Publish packet;
  TRY(packet.qos, qos_of(flags >> 1 & 3));
  packet.dup = (flags & 8) != 0;
  packet.retain = (flags & 1) != 0;
  if (packet.dup && packet.qos == Qos::at_most_once) return refuse("DUP with QoS 0");
  TRY(packet.topic, in.text("the topic"));
  if (!valid_topic(packet.topic)) return refuse("not a topic name to publish to");
  if (packet.qos == Qos::at_least_once) {
    TRY(packet.id, in.id());
  }
  packet.payload = in.rest();
  return packet;
}

Result<Packet> subscribe(Reader& in) {
  Subscribe packet;
  TRY(packet.id, in.id());
  while (!in.empty()) {
    Subscription wanted;
    TRY(wanted.filter, in.text("a filter"));
    if (!valid_filter(wanted.filter)) return refuse("not a topic filter");
    TRY(const uint8_t qos, in.byte("a requested QoS"));
    if (qos > 2) return refuse("there is no QoS 3");
    wanted.qos = qos == 0 ? Qos::at_most_once : Qos::at_least_once;
    packet.filters.push_back(std::move(wanted));
  }
  if (packet.filters.empty()) return refuse("SUBSCRIBE without a filter");
  return packet;
}

Result<Packet> suback(Reader& in) {
  Suback packet;
  TRY(packet.id, in.id());
  while (!in.empty()) {
    TRY(const uint8_t code, in.byte("a return code"));
    if (code > 2 && code != kRefused) return refuse("not a SUBACK return code");
    packet.codes.push_back(code);
  }
  if (packet.codes.empty()) return refuse("SUBACK without a return code");
  return packet;
}

Result<Packet> unsubscribe(Reader& in) {
  Unsubscribe packet;
  TRY(packet.id, in.id());
  while (!in.empty()) {
    TRY(std::string filter, in.text("a filter"));
    if (!valid_filter(filter)) return refuse("not a topic filter");
    packet.filters.push_back(std::move(filter));
  }
  if (packet.filters.empty()) return refuse("UNSUBSCRIBE without a filter");
  return packet;
}

template <class T>
Result<Packet> only_id(Reader& in) {
  T packet;
  TRY(packet.id, in.id());
  return packet;
}

Result<Packet> body(unsigned type, unsigned flags, Reader& in) {
  // 2.2.2: the flags of all but PUBLISH are fixed.
  if (type != 3 && flags != (type == 6 || type == 8 || type == 10 ? 2u : 0u))
    return refuse("reserved flags are set");
  switch (type) {
    case 1:
      return connect(in);
    case 2:
      return connack(in);
    case 3:
      return publish(in, flags);
    case 4:
      return only_id<Puback>(in);
    case 5:
    case 6:
    case 7:
      return fail(Code::unsupported, "MQTT: QoS 2 is not offered");
    case 8:
      return subscribe(in);
    case 9:
      return suback(in);
    case 10:
      return unsubscribe(in);
    case 11:
      return only_id<Unsuback>(in);
    case 12:
      return Pingreq{};
    case 13:
      return Pingresp{};
    case 14:
      return Disconnect{};
    default:
      return refuse("there is no packet type " + std::to_string(type));
  }
}

}  // namespace

Result<std::optional<Decoded>> decode(std::string_view bytes, size_t limit) {
  size_t length = 0, head = 1;
  for (unsigned shift = 0;; shift += 7) {
    if (shift > 21) return refuse("a length of more than four bytes");
    if (bytes.size() <= head) return std::nullopt;
    const auto next = static_cast<uint8_t>(bytes[head++]);
    length |= static_cast<size_t>(next & 0x7F) << shift;
    if ((next & 0x80) == 0) break;
  }
  if (length > limit)
    return fail(Code::too_large, "MQTT: a packet of " + std::to_string(length) +
                                     " bytes; at most " + std::to_string(limit) + " are taken");
  if (bytes.size() - head < length) return std::nullopt;
  const auto first = static_cast<uint8_t>(bytes.front());
  Reader in(bytes.substr(head, length));
  TRY(Packet packet, body(first >> 4, first & 0x0F, in));
  if (!in.empty()) return refuse("bytes after the packet's end");
  return Decoded{std::move(packet), head + length};
}

}  // namespace holdfast::mqtt
