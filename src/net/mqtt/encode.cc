#include "net/mqtt/packet.h"

namespace holdfast::mqtt {
namespace {

void number(std::string& out, size_t value) {
  out += static_cast<char>(value >> 8 & 0xFF);
  out += static_cast<char>(value & 0xFF);
}
void text(std::string& out, std::string_view value) {
  number(out, value.size());
  out += value;
}

// The fixed header, 2.2.
std::string head(unsigned first, size_t length) {
  std::string out;
  out.reserve(length + 5);
  out += static_cast<char>(first);
  do {
    const size_t low = length & 0x7F;
    length >>= 7;
    out += static_cast<char>(length > 0 ? low | 0x80 : low);
  } while (length > 0);
  return out;
}
std::string framed(unsigned first, std::string_view rest) {
  std::string out = head(first, rest.size());
  out += rest;
  return out;
}
std::string with_id(unsigned first, uint16_t id) {
  std::string rest;
  number(rest, id);
  return framed(first, rest);
}

struct Writer {
  std::string operator()(const Connect& packet) const {
    std::string rest;
    text(rest, "MQTT");
    rest += '\4';
    unsigned flags = packet.clean_session ? 0x02 : 0;
    if (packet.will) {
      flags |= 0x04u | static_cast<unsigned>(packet.will->qos) << 3;
      if (packet.will->retain) flags |= 0x20;
    }
    if (packet.username) flags |= 0x80;
    if (packet.password) flags |= 0x40;
    rest += static_cast<char>(flags);
    number(rest, packet.keep_alive);
    text(rest, packet.client_id);
    if (packet.will) {
      text(rest, packet.will->topic);
      text(rest, packet.will->payload);
    }
    if (packet.username) text(rest, *packet.username);
    if (packet.password) text(rest, *packet.password);
    return framed(0x10, rest);
  }
  std::string operator()(const Connack& packet) const {
    const char rest[] = {static_cast<char>(packet.session_present), static_cast<char>(packet.code)};
    return framed(0x20, std::string_view(rest, 2));
  }
  std::string operator()(const Publish& packet) const {
    return encode(packet, packet.id, packet.dup);
  }
  std::string operator()(const Puback& packet) const { return with_id(0x40, packet.id); }
  std::string operator()(const Subscribe& packet) const {
    std::string rest;
    number(rest, packet.id);
    for (const auto& wanted : packet.filters) {
      text(rest, wanted.filter);
      rest += static_cast<char>(wanted.qos);
    }
    return framed(0x82, rest);
  }
  std::string operator()(const Suback& packet) const {
    std::string rest;
    number(rest, packet.id);
    for (const uint8_t code : packet.codes) rest += static_cast<char>(code);
    return framed(0x90, rest);
  }
  std::string operator()(const Unsubscribe& packet) const {
    std::string rest;
    number(rest, packet.id);
    for (const auto& filter : packet.filters) text(rest, filter);
    return framed(0xA2, rest);
  }
  std::string operator()(const Unsuback& packet) const { return with_id(0xB0, packet.id); }
  std::string operator()(const Pingreq&) const { return framed(0xC0, ""); }
  std::string operator()(const Pingresp&) const { return framed(0xD0, ""); }
  std::string operator()(const Disconnect&) const { return framed(0xE0, ""); }
};

}  // namespace

std::string encode(const Packet& packet) {
  return std::visit(Writer(), packet);
}

std::string encode(const Publish& message, uint16_t id, bool dup) {
  const bool acknowledged = message.qos == Qos::at_least_once;
  const unsigned flags = (dup && acknowledged ? 8u : 0u) | static_cast<unsigned>(message.qos) << 1 |
                         (message.retain ? 1u : 0u);
  std::string out = head(
      0x30 | flags, 2 + message.topic.size() + (acknowledged ? 2 : 0) + message.payload.size());
  text(out, message.topic);
  if (acknowledged) number(out, id);
  out += message.payload;
  return out;
}

}  // namespace holdfast::mqtt
