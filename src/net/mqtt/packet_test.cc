#include "net/mqtt/packet.h"

#include <gtest/gtest.h>

#include <random>

#include "base/bytes.h"

namespace holdfast::mqtt {
namespace {

constexpr size_t kLimit = 300'000;

std::string bytes_of(std::string_view hexadecimal) {
  std::string joined;
  for (const char c : hexadecimal) {
    if (c != ' ') joined += c;
  }
  return from_hex(joined).value();
}

// Encoded and decoded again, as it must come back.
template <class T>
T again(const T& packet) {
  const std::string bytes = encode(Packet(packet));
  const auto decoded = decode(bytes, kLimit);
  EXPECT_TRUE(decoded && *decoded);
  EXPECT_EQ((*decoded)->size, bytes.size());
  return std::get<T>((*decoded)->packet);
}

std::vector<Packet> samples() {
  Connect connect;
  connect.client_id = "press-07/$edgeHub";
  connect.clean_session = false;
  connect.keep_alive = 240;
  connect.will =
      Will{"devices/press-07/messages/events/", std::string("\0bye", 4), Qos::at_least_once, true};
  connect.username = "hub.local/press-07/?api-version=2021-04-12";
  connect.password = "SharedAccessSignature sr=x&sig=y&se=1";
  return {connect,
          Connack{true, ConnectCode::accepted},
          Publish{"a/b", std::string(200, 'x'), Qos::at_least_once, 7, true, false},
          Publish{"a/ü", "", Qos::at_most_once},
          Puback{0xFFFF},
          Subscribe{3, {{"$iothub/twin/res/#", Qos::at_most_once}, {"a/+/b", Qos::at_least_once}}},
          Suback{3, {0, 1, kRefused}},
          Unsubscribe{4, {"a/#"}},
          Unsuback{4},
          Pingreq{},
          Pingresp{},
          Disconnect{}};
}

TEST(MqttPacket, WhatIsWrittenIsReadBack) {
  const auto all = samples();
  const Connect connect = again(std::get<Connect>(all[0]));
  EXPECT_EQ(connect.client_id, "press-07/$edgeHub");
  EXPECT_FALSE(connect.clean_session);
  EXPECT_EQ(connect.keep_alive, 240);
  EXPECT_EQ(connect.will->payload, std::string("\0bye", 4));
  EXPECT_TRUE(connect.will->retain);
  EXPECT_EQ(connect.username, "hub.local/press-07/?api-version=2021-04-12");
  EXPECT_EQ(connect.password, "SharedAccessSignature sr=x&sig=y&se=1");
  const Publish publish = again(std::get<Publish>(all[2]));
  EXPECT_EQ(publish.topic, "a/b");
  EXPECT_EQ(publish.payload, std::string(200, 'x'));
  EXPECT_EQ(publish.id, 7);
  EXPECT_TRUE(publish.dup);
  EXPECT_EQ(again(std::get<Puback>(all[4])).id, 0xFFFF);
  EXPECT_EQ(again(std::get<Subscribe>(all[5])).filters, std::get<Subscribe>(all[5]).filters);
  EXPECT_EQ(again(std::get<Suback>(all[6])).codes, std::get<Suback>(all[6]).codes);
  EXPECT_EQ(again(std::get<Unsubscribe>(all[7])).filters, std::vector<std::string>{"a/#"});
}

TEST(MqttPacket, BytesOfTheStandard) {
  EXPECT_EQ(hex(as_bytes(encode(Connack{}))), "20020000");
  EXPECT_EQ(hex(as_bytes(encode(Publish{"a/b", "hi", Qos::at_least_once, 10}))),
            "32090003612f62000a6869");
  EXPECT_EQ(hex(as_bytes(encode(Subscribe{10, {{"a/b", Qos::at_least_once}}}))),
            "8208000a0003612f6201");
  EXPECT_EQ(hex(as_bytes(encode(Pingreq{}))), "c000");
  // Two bytes of length from 128 on, three from 16,384 on.
  EXPECT_EQ(encode(Publish{"t", std::string(125, ' '), Qos::at_most_once}).substr(1, 2),
            "\x80\x01");
  EXPECT_EQ(encode(Publish{"t", std::string(16'381, ' '), Qos::at_most_once}).substr(1, 3),
            "\x80\x80\x01");
}

TEST(MqttPacket, BadPacketsAreRefused) {
  const struct {
    const char* what;
    const char* bytes;
    Code code;
  } rows[] = {
      {"type 0", "00 00", Code::invalid_argument},
      {"type 15", "f0 00", Code::invalid_argument},
      {"five bytes of length", "30 80 80 80 80 01", Code::invalid_argument},
      {"longer than the limit", "30 ff ff ff 7f", Code::too_large},
      {"PUBLISH with QoS 3", "36 05 00 01 61 00 01", Code::invalid_argument},
      {"PUBLISH with QoS 2", "34 05 00 01 61 00 01", Code::unsupported},
      {"DUP with QoS 0", "38 03 00 01 61", Code::invalid_argument},
      {"packet id 0", "32 05 00 01 61 00 00", Code::invalid_argument},
      {"no packet id", "32 03 00 01 61", Code::invalid_argument},
      {"empty topic", "30 02 00 00", Code::invalid_argument},
      {"topic with a wildcard", "30 05 00 03 61 2f 23", Code::invalid_argument},
      {"topic longer than the packet", "30 03 00 05 61", Code::invalid_argument},
      {"topic with NUL", "30 04 00 02 61 00", Code::invalid_argument},
      {"topic with a surrogate", "30 05 00 03 ed a0 80", Code::invalid_argument},
      {"overlong slash", "30 04 00 02 c0 af", Code::invalid_argument},
      {"PUBREC", "50 02 00 01", Code::unsupported},
      {"PUBREL", "62 02 00 01", Code::unsupported},
      {"PUBACK with a flag", "41 02 00 01", Code::invalid_argument},
      {"PUBACK, a byte too long", "40 03 00 01 00", Code::invalid_argument},
      {"SUBSCRIBE with wrong flags", "80 08 00 0a 00 03 61 2f 62 01", Code::invalid_argument},
      {"SUBSCRIBE without a filter", "82 02 00 0a", Code::invalid_argument},
      {"SUBSCRIBE with QoS 3", "82 06 00 0a 00 01 61 03", Code::invalid_argument},
      {"filter a#", "82 07 00 0a 00 02 61 23 00", Code::invalid_argument},
      {"UNSUBSCRIBE without a filter", "a2 02 00 0a", Code::invalid_argument},
      {"PINGREQ with a body", "c0 01 00", Code::invalid_argument},
      {"reserved connect flag", "10 0d 00 04 4d 51 54 54 04 03 00 00 00 01 61",
       Code::invalid_argument},
      {"password without user", "10 0d 00 04 4d 51 54 54 04 42 00 00 00 01 61",
       Code::invalid_argument},
      {"will QoS without will", "10 0d 00 04 4d 51 54 54 04 0a 00 00 00 01 61",
       Code::invalid_argument},
      {"MQTT 5", "10 0e 00 04 4d 51 54 54 05 02 00 00 00 00 01 61", Code::unsupported},
      {"MQTT 3.1", "10 0f 00 06 4d 51 49 73 64 70 03 02 00 00 00 01 61", Code::unsupported},
      {"HTTP", "47 45 54 20 2f 20", Code::invalid_argument},
      {"another protocol", "10 0d 00 04 4d 51 54 58 04 02 00 00 00 01 61", Code::invalid_argument},
  };
  for (const auto& row : rows) {
    const auto decoded = decode(bytes_of(row.bytes), kLimit);
    // GET /: 0x47 is PUBACK with flags, but its length (0x45) is not there yet.
    if (std::string_view(row.what) == "HTTP") {
      ASSERT_TRUE(decoded) << row.what;
      EXPECT_FALSE(*decoded) << row.what;
      continue;
    }
    ASSERT_FALSE(decoded) << row.what;
    EXPECT_EQ(decoded.error().code(), row.code) << row.what << ": " << decoded.error().message();
  }
  EXPECT_EQ(
      decode(bytes_of("10 0e 00 04 4d 51 54 54 05 02 00 00 00 00 01 61"), kLimit).error().reason(),
      "protocol_level");
}

TEST(MqttPacket, SubscribeForQos2IsReadAs1) {
  const auto decoded = decode(bytes_of("82 06 00 0a 00 01 61 02"), kLimit);
  ASSERT_TRUE(decoded && *decoded);
  EXPECT_EQ(std::get<Subscribe>((*decoded)->packet).filters[0].qos, Qos::at_least_once);
}

TEST(MqttPacket, EveryPrefixWaitsForMore) {
  for (const Packet& packet : samples()) {
    const std::string bytes = encode(packet);
    for (size_t length = 0; length < bytes.size(); ++length) {
      const auto decoded = decode(std::string_view(bytes).substr(0, length), kLimit);
      ASSERT_TRUE(decoded) << packet.index() << " cut at " << length;
      EXPECT_FALSE(*decoded);
    }
    const auto followed = decode(bytes + "\xFF\xFF", kLimit);
    ASSERT_TRUE(followed && *followed);
    EXPECT_EQ((*followed)->size, bytes.size());
  }
}

// A packet cut short inside its announced length: refused, never read past its end.
TEST(MqttPacket, ShortenedBodiesAreRefusedOrShorter) {
  for (const Packet& packet : samples()) {
    const std::string bytes = encode(packet);
    if (bytes.size() < 3 || bytes[1] < 0) continue;  // one byte of length only
    for (size_t length = 2; length < bytes.size(); ++length) {
      std::string cut = bytes.substr(0, length);
      cut[1] = static_cast<char>(length - 2);
      const auto decoded = decode(cut, kLimit);
      if (decoded) EXPECT_TRUE(*decoded);
    }
  }
}

TEST(MqttPacket, MutatedPacketsNeverHarm) {
  std::mt19937 random(20261125);  // the same each time
  size_t good = 0, bad = 0;
  for (int round = 0; round < 20'000; ++round) {
    const auto all = samples();
    std::string bytes = encode(all[random() % all.size()]);
    for (unsigned changes = 1 + random() % 4; changes > 0; --changes) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    const auto decoded = decode(bytes, kLimit);
    if (!decoded) {
      ++bad;
      EXPECT_FALSE(decoded.error().message().empty());
    } else if (*decoded) {
      ++good;
      EXPECT_LE((*decoded)->size, bytes.size());
      // What was taken is something that we would write ourselves.
      EXPECT_TRUE(decode(encode((*decoded)->packet), kLimit).value().has_value());
    }
  }
  EXPECT_GT(good, 1000u);
  EXPECT_GT(bad, 1000u);
}

TEST(MqttText, Utf8) {
  for (const char* good : {"", "a", "ü", "€", "😀", "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF"})
    EXPECT_TRUE(valid_text(good)) << good;
  for (const char* bad :
       {"\x80", "\xC0\xAF", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xED\xBF\xBF",
        "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xC3", "\xE2\x82", "a\xFF"})
    EXPECT_FALSE(valid_text(bad)) << hex(as_bytes(std::string_view(bad)));
  EXPECT_FALSE(valid_text(std::string_view("a\0b", 3)));
  EXPECT_TRUE(valid_text(std::string(65'535, 'a')));
  EXPECT_FALSE(valid_text(std::string(65'536, 'a')));
}

TEST(MqttText, Filters) {
  for (const char* good : {"#", "+", "/", "a", "a/#", "+/a", "a/+/b", "/+", "$iothub/twin/res/#"})
    EXPECT_TRUE(valid_filter(good)) << good;
  for (const char* bad : {"", "a#", "#/a", "a/#/b", "a+", "+a", "a/b+/c", "##"})
    EXPECT_FALSE(valid_filter(bad)) << bad;
  EXPECT_FALSE(valid_topic("a/+"));
  EXPECT_FALSE(valid_topic(""));
  EXPECT_TRUE(valid_topic("devices/d/messages/events/%24.mid=1&a=b"));
}

TEST(MqttText, Matching) {
  const struct {
    const char* filter;
    const char* topic;
    bool hit;
  } rows[] = {{"#", "a/b", true},
              {"a/#", "a", true},
              {"a/#", "a/b/c", true},
              {"a/#", "ab", false},
              {"+", "a", true},
              {"+", "a/b", false},
              {"a/+", "a/", true},
              {"a/+", "a", false},
              {"+/+", "/a", true},
              {"/+", "/a", true},
              {"+", "/a", false},
              {"a/+/c", "a/b/c", true},
              {"a/b", "a/b", true},
              {"a/b", "a/b/", false},
              {"#", "$iothub/x", false},
              {"+/x", "$iothub/x", false},
              {"$iothub/#", "$iothub/x", true},
              {"$iothub/methods/POST/#", "$iothub/methods/POST/go/?$rid=1", true}};
  for (const auto& row : rows)
    EXPECT_EQ(matches(row.filter, row.topic), row.hit) << row.filter << " " << row.topic;
}

}  // namespace
}  // namespace holdfast::mqtt
