// What services see of the hub.
#include "iot/whole_testing.h"

namespace holdfast::iot {
namespace {

TEST_F(WholeHub, RegistryOverRest) {
  const char* body =
      R"({"deviceId":"d","status":"enabled","authentication":{"type":"sas","symmetricKey":{"primaryKey":"","secondaryKey":null}},"capabilities":{"iotEdge":true}})";
  const auto made = call("PUT", "/devices/d?api-version=2021-04-12", body);
  ASSERT_EQ(made.status, 200u) << made.body;
  const json::object device = object(made);
  const std::string etag(device.at("etag").as_string());
  EXPECT_EQ(made.headers.get("ETag"), "\"" + etag + "\"");
  EXPECT_EQ(device.at("capabilities").as_object().at("iotEdge"), true);
  const auto twice = call("PUT", "/devices/d", body);
  EXPECT_EQ(twice.status, 409u);
  EXPECT_TRUE(
      object(twice).at("Message").as_string().starts_with("ErrorCode:DeviceAlreadyExists;"));
  EXPECT_EQ(twice.headers.get("iothub-errorcode"), "DeviceAlreadyExists");
  EXPECT_EQ(call("PUT", "/devices/d", R"({"deviceId":"d","status":"disabled"})",
                 {{"If-Match", "\"stale\""}})
                .status,
            412u);
  const auto off = call("PUT", "/devices/d", R"({"deviceId":"d","status":"disabled"})",
                        {{"If-Match", "\"" + etag + "\""}});
  EXPECT_EQ(object(off).at("status"), "disabled");
  EXPECT_EQ(call("PUT", "/devices/none", "{}", {{"If-Match", "*"}}).status, 404u);
  EXPECT_EQ(call("GET", "/devices/d/modules/$edgeAgent").status, 200u);
  EXPECT_EQ(call("PUT", "/devices/d/modules/m", R"({"moduleId":"m","managedBy":"me"})").status,
            200u);
  EXPECT_EQ(json::parse(call("GET", "/devices/d/modules").body).as_array().size(), 3u);
  EXPECT_EQ(json::parse(call("GET", "/devices?top=10").body).as_array().size(), 1u);
  EXPECT_EQ(object(call("GET", "/statistics/devices")).at("disabledDeviceCount"), 1);
  EXPECT_EQ(call("DELETE", "/devices/d/modules/m", "", {{"If-Match", "*"}}).status, 204u);
  EXPECT_EQ(call("GET", "/devices/d/modules/m").headers.get("iothub-errorcode"), "ModuleNotFound");
  EXPECT_EQ(call("DELETE", "/devices/d").status, 204u);
  EXPECT_EQ(call("GET", "/devices/d").headers.get("iothub-errorcode"), "DeviceNotFound");
}

TEST_F(WholeHub, BadBodiesAreNamed) {
  key("d");
  const struct {
    const char* method;
    const char* target;
    std::string body;
    const char* part;
  } rows[] = {
      {"PUT", "/devices/x", "", "not JSON"},
      {"PUT", "/devices/x", "[]", "JSON object"},
      {"PUT", "/devices/x", R"({"colour":1})", "'colour'"},
      {"PUT", "/devices/x", R"({"deviceId":"y"})", "'deviceId'"},
      {"PUT", "/devices/x", R"({"status":"on"})", "'status'"},
      {"PUT", "/devices/x", R"({"capabilities":{}})", "iotEdge"},
      {"PUT", "/devices/x", R"({"authentication":{"symmetricKey":{"primaryKey":"short"}}})",
       "symmetric key"},
      {"PUT", "/devices/x", R"({"authentication":{"type":"selfSigned"}})", "selfSigned"},
      {"PUT", "/devices/a%20b", "{}", "device id"},
      {"PATCH", "/twins/d", R"({"properties":{"desired":5}})", "properties.desired"},
      {"PATCH", "/twins/d", R"({"properties":{"wanted":{}}})", "properties.wanted"},
      {"PATCH", "/twins/d", R"({"tags":{"a.b":1}})", "tags.a.b"},
      {"PATCH", "/twins/d", std::string(200, '['), "not JSON"},
      {"POST", "/devices/d/applyConfigurationContent", R"({"modulesContent":{"m":{}}})",
       "edge device"},
      {"GET", "/devices?top=x", "", "'top'"},
  };
  for (const auto& row : rows) {
    const auto answer = call(row.method, row.target, row.body);
    EXPECT_EQ(answer.status, 400u) << row.method << row.target << row.body.substr(0, 80);
    EXPECT_NE(std::string(object(answer).at("Message").as_string()).find(row.part),
              std::string::npos)
        << answer.body;
  }
  EXPECT_EQ(call("PUT", "/devices/x", std::string(2 << 20, ' ')).status, 413u);
}

TEST_F(WholeHub, WhoMayCall) {
  const std::string d_key = key("d", true);
  key("other");
  const auto as_device = [&](const std::string& resource) {
    return std::pair<std::string, std::string>(
        "Authorization", *wire::make_sas(kHost + resource, d_key, clock.now() + 1h));
  };
  const auto status = [&](std::string method, std::string target,
                          std::pair<std::string, std::string> header) {
    return call(std::move(method), std::move(target), "{}", {std::move(header)}).status;
  };
  EXPECT_EQ(status("GET", "/devices/d", as_device("/devices/d")), 200u);
  EXPECT_EQ(status("GET", "/devices/d/modules", as_device("/devices/d")), 200u);
  EXPECT_EQ(status("GET", "/devices/d/modules/$edgeHub", as_device("/devices/d")), 200u);
  EXPECT_EQ(status("GET", "/devices/other", as_device("/devices/d")), 403u);
  EXPECT_EQ(status("GET", "/devices/other", as_device("/devices/other")), 401u);
  EXPECT_EQ(status("GET", "/devices/d/modules", as_device("/devices/d/modules/$edgeHub")), 401u);
  EXPECT_EQ(status("PUT", "/devices/d", as_device("/devices/d")), 403u);
  EXPECT_EQ(status("GET", "/devices", as_device("/devices/d")), 403u);
  EXPECT_EQ(status("GET", "/twins/d", as_device("/devices/d")), 403u);
  EXPECT_EQ(status("GET", "/devices", {"Authorization", "Bearer admin"}), 200u);
  EXPECT_EQ(status("GET", "/twins/d", {"Authorization", "Bearer reader"}), 200u);
  EXPECT_EQ(status("GET", "/devices/d", {"Authorization", "Bearer reader"}), 403u);
  EXPECT_EQ(status("PATCH", "/twins/d", {"Authorization", "Bearer reader"}), 403u);
  EXPECT_EQ(status("GET", "/devices", {"Authorization", "Bearer wrong"}), 401u);
  EXPECT_EQ(status("GET", "/devices", {"Authorization", "SharedAccessSignature sr=x"}), 401u);
  EXPECT_EQ(status("GET", "/devices", {"Authorization", ""}), 401u);
  EXPECT_EQ(status("GET", "/devices/d", {"Authorization", owner(kHost + "/devices/d")}), 200u);
  EXPECT_EQ(status("GET", "/devices/other", {"Authorization", owner(kHost + "/devices/d")}), 401u);
  const std::string old = *wire::make_sas(kHost, (*hub->devices().policy("iothubowner"))[1],
                                          clock.now() - 1h, "iothubowner");
  EXPECT_EQ(status("GET", "/devices", {"Authorization", old}), 401u);
}

}  // namespace
}  // namespace holdfast::iot
