#include "device_wire/topics.h"

#include <gtest/gtest.h>

namespace holdfast::device_wire {
namespace {

template <class T, class Variant>
T as(Result<Variant> parsed) {
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message());
  if (!parsed || !std::holds_alternative<T>(*parsed)) {
    ADD_FAILURE() << "another kind of topic";
    return T();
  }
  return std::get<T>(*parsed);
}

TEST(DeviceTopics, Telemetry) {
  const struct {
    const char* topic;
    Address from;
    Properties properties;
  } rows[] = {
      {"devices/d/messages/events", {"d", ""}, {}},
      {"devices/d/messages/events/", {"d", ""}, {}},
      {"devices/d/messages/events/a=b", {"d", ""}, {{"a", "b"}}},
      {"devices/d/messages/events/?a=b", {"d", ""}, {{"a", "b"}}},
      {"devices/d/messages/events/a=b/", {"d", ""}, {{"a", "b"}}},
      {"devices/d/messages/events/%24.mid=1&%24.ct=application%2Fjson&x=%20y%26",
       {"d", ""},
       {{"$.mid", "1"}, {"$.ct", "application/json"}, {"x", " y&"}}},
      {"devices/d/messages/events/$.mid=1&flag&empty=",
       {"d", ""},
       {{"$.mid", "1"}, {"flag", std::nullopt}, {"empty", ""}}},
      {"devices/d/modules/%24edgeHub/messages/events/%24.on=out1",
       {"d", "$edgeHub"},
       {{"$.on", "out1"}}},
  };
  for (const auto& row : rows) {
    const auto telemetry = as<Telemetry>(parse_from_device(row.topic));
    EXPECT_EQ(telemetry.from, row.from) << row.topic;
    EXPECT_EQ(telemetry.properties, row.properties) << row.topic;
    const auto again =
        as<Telemetry>(parse_from_device(telemetry_topic(row.from, telemetry.properties)));
    EXPECT_EQ(again.from, row.from);
    EXPECT_EQ(again.properties.size(), row.properties.size());
  }
}

TEST(DeviceTopics, TwinsAndMethods) {
  EXPECT_EQ(as<TwinGet>(parse_from_device("$iothub/twin/GET/?$rid=7f-1")).rid, "7f-1");
  EXPECT_EQ(as<TwinGet>(parse_from_device(twin_get_topic("9"))).rid, "9");
  EXPECT_EQ(as<ReportedPatch>(parse_from_device(reported_patch_topic("12"))).rid, "12");
  // The rid of a method is all that follows, whatever it holds.
  const auto response = as<MethodResponse>(parse_from_device("$iothub/methods/res/-3/?$rid=a&b=c"));
  EXPECT_EQ(response.status, -3);
  EXPECT_EQ(response.rid, "a&b=c");
  EXPECT_EQ(as<MethodResponse>(parse_from_device(method_response_topic(200, "4"))).status, 200);

  EXPECT_EQ(twin_response_topic(204, "5", 9), "$iothub/twin/res/204/?$rid=5&$version=9");
  const auto twin = as<TwinResponse>(parse_to_device(twin_response_topic(204, "5", 9)));
  EXPECT_EQ(twin.status, 204);
  EXPECT_EQ(twin.rid, "5");
  EXPECT_EQ(twin.version, 9u);
  EXPECT_FALSE(as<TwinResponse>(parse_to_device(twin_response_topic(200, "5"))).version);
  EXPECT_EQ(as<DesiredPatch>(parse_to_device(desired_patch_topic(31))).version, 31u);
  EXPECT_EQ(method_request_topic("go", "r1"), "$iothub/methods/POST/go/?$rid=r1");
  const auto method = as<MethodRequest>(parse_to_device("$iothub/methods/POST/go/?$rid=r1"));
  EXPECT_EQ(method.name, "go");
  EXPECT_EQ(method.rid, "r1");
}

TEST(DeviceTopics, MessagesToDevices) {
  const Address device{"d", ""}, module{"d", "m"};
  const auto c2d = subject_of("devices/d/messages/devicebound/#", device);
  ASSERT_TRUE(c2d);
  const std::string topic =
      cloud_message_topic(c2d->base, {{"colour", "a/b=&"}, {"$.mid", "1"}, {"flag", {}}});
  // System properties first, as %24; '/' inside a value never stands bare.
  EXPECT_EQ(topic, "devices/d/messages/devicebound/%24.mid=1&colour=a%2Fb%3D%26&flag");
  EXPECT_EQ(as<CloudMessage>(parse_to_device(topic)).properties.size(), 3u);

  const auto python = subject_of("devices/d/modules/m/inputs/#", module);
  const auto c_sdk = subject_of("devices/d/modules/m/#", module);
  ASSERT_TRUE(python && c_sdk);
  const std::string in = input_topic(python->base, "in1", {{"$.cdid", "d"}, {"$.cmid", "other"}});
  EXPECT_EQ(in, "devices/d/modules/m/inputs/in1/%24.cdid=d&%24.cmid=other");
  EXPECT_EQ(input_topic(c_sdk->base, "in1", {}), "devices/d/modules/m/inputs/in1/");
  const auto input = as<InputMessage>(parse_to_device(in));
  EXPECT_EQ(input.input, "in1");
  EXPECT_EQ(input.to, module);
  EXPECT_EQ(*find_property(input.properties, "$.cmid"), "other");
}

TEST(DeviceTopics, Filters) {
  const Address device{"a$b", ""}, module{"a$b", "m"};
  EXPECT_EQ(subject_of(kTwinResponses, device)->kind, Subject::twin_responses);
  EXPECT_EQ(subject_of(kDesiredPatches, module)->kind, Subject::desired);
  EXPECT_EQ(subject_of(kMethods, device)->kind, Subject::methods);
  EXPECT_EQ(subject_of(cloud_message_filter("a$b"), device)->base,
            "devices/a%24b/messages/devicebound/");
  // Delivered under the spelling that the client chose.
  EXPECT_EQ(subject_of("devices/a$b/messages/devicebound/#", device)->base,
            "devices/a$b/messages/devicebound/");
  EXPECT_EQ(subject_of(inputs_filter(module), module)->kind, Subject::inputs);
  for (const char* bad :
       {"#", "devices/#", "devices/a$b/#", "devices/other/messages/devicebound/#",
        "devices/a$b/messages/events/#", "$iothub/#", "$iothub/twin/#", "$iothub/twin/res/+",
        "devices/+/messages/devicebound/#", "devices/a$b/messages/devicebound/+"})
    EXPECT_FALSE(subject_of(bad, device)) << bad;
  EXPECT_FALSE(subject_of("devices/a$b/messages/devicebound/#", module));
  EXPECT_FALSE(subject_of("devices/a$b/modules/other/inputs/#", module));
}

TEST(DeviceTopics, BadTopics) {
  for (const char* bad : {"",
                          "devices",
                          "devices/",
                          "devices//messages/events/",
                          "devices/d",
                          "devices/d/messages",
                          "devices/d/messages/eventsx",
                          "devices/d/messages/events/a=b/c=d",
                          "devices/d/messages/events/%zz=1",
                          "devices/d/messages/events/=b",
                          "devices/d/modules/messages/events/",
                          "$iothub/twin/GET/",
                          "$iothub/twin/GET/?$rid=",
                          "$iothub/twin/GET/?rid=1",
                          "$iothub/twin/GET/?$rid",
                          "$iothub/twin/PATCH/properties/desired/?$rid=1",
                          "$iothub/methods/res/ok/?$rid=1",
                          "$iothub/methods/res/200/?$rid=",
                          "$iothub/methods/res/200",
                          "a/b"})
    EXPECT_FALSE(parse_from_device(bad)) << bad;
  EXPECT_FALSE(parse_from_device("$iothub/twin/GET/?$rid=" + std::string(300, '1')));
  for (const char* bad :
       {"", "$iothub/twin/res/x/?$rid=1", "$iothub/twin/res/200/?$rid=1&$version=x",
        "$iothub/twin/PATCH/properties/desired/?$rid=1", "$iothub/methods/POST//?$rid=1",
        "$iothub/methods/POST/go/?rid=1", "devices/d/messages/events/"})
    EXPECT_FALSE(parse_to_device(bad)) << bad;
  std::string many;
  for (int i = 0; i < 101; ++i) many += "k" + std::to_string(i) + "=v&";
  EXPECT_FALSE(decode_properties(many));
}

}  // namespace
}  // namespace holdfast::device_wire
