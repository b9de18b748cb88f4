#include "device_wire/address.h"

#include <gtest/gtest.h>

namespace holdfast::device_wire {
namespace {

TEST(DeviceAddress, Ids) {
  for (const char* good : {"a", "press-07", "$edgeAgent", "A.b_c%d#e*f?g!h(i)j,k:l=m@n$o'p+q"})
    EXPECT_TRUE(check_id(good, "device")) << good;
  for (const std::string& bad :
       {std::string(), std::string(129, 'a'), std::string("a/b"), std::string("a b"),
        std::string("ü"), std::string("a&b"), std::string("a\0b", 3), std::string("a\n")})
    EXPECT_FALSE(check_id(bad, "device")) << bad;
  EXPECT_TRUE(check_id(std::string(128, 'a'), "device"));
  EXPECT_EQ(parse_address("d/m").value(), (Address{"d", "m"}));
  EXPECT_EQ(parse_address("d").value().text(), "d");
  for (const char* bad : {"", "/", "d/", "/m", "d/m/x"}) EXPECT_FALSE(parse_address(bad)) << bad;
}

TEST(DeviceAddress, ConnectNames) {
  const struct {
    const char* text;
    const char* device;
    const char* module;
    const char* version;
    const char* type;
  } rows[] = {
      {"hub.local/d/?api-version=2019-10-01&DeviceClientType=azure-iot-device%2F2.14.0", "d", "",
       "2019-10-01", "azure-iot-device/2.14.0"},
      {"hub.local/d/$edgeHub/?api-version=2021-04-12", "d", "$edgeHub", "2021-04-12", ""},
      {"hub.local/d/?DeviceClientType=x&api-version=V", "d", "", "V", "x"},
      {"hub.local/d/api-version=2016-11-14", "d", "", "2016-11-14", ""},
      {"hub.local/d/m/api-version=2016-11-14&DeviceClientType=c", "d", "m", "2016-11-14", "c"},
      {"hub.local/d?api-version=2018-06-30", "d", "", "2018-06-30", ""},
      {"hub.local/d/?api-version=2020-09-30&model-id=dtmi%3Aa%3B1", "d", "", "2020-09-30", ""},
      {"127.0.0.5/a?b=c/?api-version=1", "a?b=c", "", "1", ""},
  };
  for (const auto& row : rows) {
    const auto name = parse_connect_name(row.text);
    ASSERT_TRUE(name) << row.text << ": " << name.error().message();
    EXPECT_EQ(name->address, (Address{row.device, row.module})) << row.text;
    EXPECT_EQ(name->api_version, row.version) << row.text;
    EXPECT_EQ(name->client_type, row.type) << row.text;
    EXPECT_EQ(parse_connect_name(format_connect_name(*name)).value().address, name->address);
  }
  for (const char* bad : {"", "hub.local", "hub.local/d", "hub.local/d/", "/d/?api-version=1",
                          "hub.local/?api-version=1", "hub.local/d/?api-version=",
                          "hub.local/d/m/x/?api-version=1", "hub.local//?api-version=1",
                          "hub.local/d/?DeviceClientType=x", "hub.local/d/?api-version=%zz"})
    EXPECT_FALSE(parse_connect_name(bad)) << bad;
}

TEST(DeviceAddress, ConnectionStrings) {
  const char* text = "HostName=hub.local;DeviceId=d;ModuleId=m;SharedAccessKey=a2V5MQ==";
  const auto parsed = parse_connection_string(text);
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->host, "hub.local");
  EXPECT_EQ(parsed->address, (Address{"d", "m"}));
  EXPECT_EQ(parsed->key, "a2V5MQ==");
  EXPECT_EQ(format_connection_string(*parsed), text);
  const auto service = parse_connection_string(
      "HostName=h;SharedAccessKeyName=iothubowner;SharedAccessKey=a2V5MQ==;");
  ASSERT_TRUE(service);
  EXPECT_EQ(service->key_name, "iothubowner");
  EXPECT_EQ(parse_connection_string("HostName=h;DeviceId=d;SharedAccessKey=aw==;GatewayHostName=g")
                .value()
                .gateway,
            "g");
  for (const char* bad : {"", "HostName=h", "DeviceId=d;SharedAccessKey=aw==",
                          "HostName=h;DeviceId=d;SharedAccessKey=aw==;Colour=red",
                          "HostName=h;HostName=h;DeviceId=d;SharedAccessKey=aw==",
                          "HostName=h;DeviceId=d;SharedAccessKey=not base64",
                          "HostName=h;ModuleId=m;SharedAccessKey=aw==",
                          "HostName=h;DeviceId=d e;SharedAccessKey=aw==",
                          "HostName=h;DeviceId=;SharedAccessKey=aw==", "HostName"})
    EXPECT_FALSE(parse_connection_string(bad)) << bad;
}

}  // namespace
}  // namespace holdfast::device_wire
