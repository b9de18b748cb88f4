#include "modules/manifest.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/bytes.h"

namespace holdfast::modules {
namespace {

namespace json = boost::json;

json::object object(std::string_view text) {
  return json::parse(text).as_object();
}

const std::string kDigest = "sha256:" + std::string(64, 'a');

json::object whole() {
  return object(R"({"$version": 7, "schemaVersion": "1.1",
    "runtime": {"type": "docker", "settings": {"minDockerVersion": "v1.25",
      "registryCredentials": {"hub": {"address": "hub:8443", "username": "u", "password": "p"}}}},
    "systemModules": {"edgeAgent": {"type": "docker", "settings": {"image": "agent"}},
                      "edgeHub": {"type": "docker", "status": "running"}},
    "modules": {
      "filter": {"version": "1.0", "type": "docker", "status": "running",
        "restartPolicy": "on-unhealthy", "imagePullPolicy": "never", "startupOrder": 2,
        "env": {"A": {"value": "x"}, "N": {"value": 5}, "B": {"value": true}},
        "settings": {"image": "filter:1", "createOptions": "{\"HostConfig\":",
                     "createOptions01": "{\"Binds\":[]", "createOptions02": "}}"}},
      "digits": {"type": "model", "version": "2", "status": "running", "restartPolicy": "always",
        "startupOrder": 1,
        "settings": {"image": "models/digits@)" +
                kDigest + R"(", "digest": ")" + kDigest + R"("}},
      "script": {"type": "process", "status": "stopped",
        "settings": {"command": ["/bin/true", "-x"], "env": {"K": {"value": "V"}}}}
    }})");
}

TEST(Manifest, AModelMayBeTriedFirst) {
  json::object desired = whole();
  const auto settings = [&desired]() -> json::object& {
    return desired["modules"].at("digits").at("settings").as_object();
  };
  const auto plain = parse_deployment(desired);
  ASSERT_TRUE(plain);
  const std::string before = plain->find("digits")->fingerprint();
  settings()["canary"] = json::object{{"share", 10}};
  const auto tried = parse_deployment(desired);
  ASSERT_TRUE(tried) << tried.error().message();
  EXPECT_EQ(json::serialize(tried->find("digits")->canary), R"({"share":10})");
  EXPECT_NE(tried->find("digits")->fingerprint(), before);
  for (const json::value& bad :
       {json::value(json::object()), json::value(10), json::value(json::object{{"version", 2}})}) {
    settings()["canary"] = bad;
    const auto refused = parse_deployment(desired);
    ASSERT_FALSE(refused) << json::serialize(bad);
    EXPECT_NE(refused.error().message().find("canary"), std::string::npos);
  }
}

TEST(Manifest, ReadsEveryKind) {
  const auto read = parse_deployment(whole());
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->version, 7);
  ASSERT_EQ(read->modules.size(), 3u);
  EXPECT_EQ(read->modules[0].name, "digits");  // by startup order
  EXPECT_EQ(read->modules[1].name, "filter");
  EXPECT_EQ(read->modules[2].name, "script");
  const ModuleSpec& filter = read->modules[1];
  EXPECT_EQ(filter.restart, RestartPolicy::on_unhealthy);
  EXPECT_EQ(filter.pull, PullPolicy::never);
  EXPECT_EQ(filter.startup_order, 2u);
  EXPECT_EQ(json::serialize(filter.create_options), R"({"HostConfig":{"Binds":[]}})");
  EXPECT_EQ(filter.env, (Pairs{{"A", "x"}, {"N", "5"}, {"B", "true"}}));
  EXPECT_EQ(read->modules[0].digest, kDigest);
  EXPECT_EQ(read->modules[2].command, (std::vector<std::string>{"/bin/true", "-x"}));
  EXPECT_EQ(read->modules[2].status, Wanted::stopped);
  ASSERT_EQ(read->registries.size(), 1u);
  EXPECT_EQ(read->registries[0].address, "hub:8443");
  EXPECT_EQ(read->system_modules.size(), 2u);
  EXPECT_NE(read->find("filter"), nullptr);
  EXPECT_EQ(read->find("none"), nullptr);
}

TEST(Manifest, TheFingerprintIsThatOfTheContainer) {
  const auto read = parse_deployment(whole());
  ASSERT_TRUE(read);
  ModuleSpec one = read->modules[1], other = one;
  other.restart = RestartPolicy::never;  // needs no other container
  other.status = Wanted::stopped;
  EXPECT_EQ(one.fingerprint(), other.fingerprint());
  other.env[0].second = "y";
  EXPECT_NE(one.fingerprint(), other.fingerprint());
  other = one;
  other.image = "filter:2";
  EXPECT_NE(one.fingerprint(), other.fingerprint());
}

// Replaces the value at a pointer and returns the message.
std::string error_with(std::string_view pointer, std::string_view value) {
  json::value document = whole();
  json::value* at = &document;
  for (const std::string_view step : split(pointer.substr(1), '/')) at = &at->as_object()[step];
  *at = json::parse(value);
  const auto read = parse_deployment(document.as_object());
  if (read) return "no error";
  EXPECT_EQ(read.error().code(), Code::invalid_argument);
  EXPECT_EQ(read.error().reason(), "manifest_format");
  return read.error().message();
}

TEST(Manifest, NamesThePlaceOfWhatIsWrong) {
  const auto expect = [](std::string_view pointer, std::string_view value,
                         std::string_view message) {
    const std::string error = error_with(pointer, value);
    EXPECT_NE(error.find(message), std::string::npos) << pointer << " → " << error;
  };
  expect("/schemaVersion", "11", "schemaVersion: must be a text");
  expect("/modules", "[]", "modules: must be an object");
  expect("/modules/filter", "1", "modules.filter: must be an object");
  expect("/modules/filter/type", "\"vm\"", "modules.filter.type: 'vm' is none of docker");
  expect("/modules/filter/type", "null", "modules.filter.type: is required");
  expect("/modules/filter/status", "\"on\"", "modules.filter.status: 'on' is none of running");
  expect("/modules/filter/restartPolicy", "\"often\"", "modules.filter.restartPolicy: 'often'");
  expect("/modules/filter/startupOrder", "-1", "modules.filter.startupOrder: is not a whole");
  expect("/modules/filter/startupOrder", "4294967296", "modules.filter.startupOrder");
  expect("/modules/filter/imagePullPolicy", "\"x\"", "modules.filter.imagePullPolicy");
  expect("/modules/filter/env", "{\"A\": \"x\"}", "modules.filter.env.A: must be");
  expect("/modules/filter/env", "{\"A=\": {\"value\": 1}}", "is not a variable's name");
  expect("/modules/filter/settings", "null", "modules.filter.settings: is required");
  expect("/modules/filter/settings/image", "\"\"", "modules.filter.settings.image: is required");
  expect("/modules/filter/settings/createOptions", "\"{\"",
         "modules.filter.settings.createOptions is not JSON");
  expect("/modules/filter/settings", "{\"image\": \"x\", \"createOptions\": \"[]\"}",
         "is not a JSON object");
  expect("/modules/digits/version", "\"1.0\"", "modules.digits.version: of a model");
  expect("/modules/digits/version", "\"0\"", "modules.digits.version: of a model");
  expect("/modules/digits/settings/digest", "\"sha256:12\"", "modules.digits.settings.digest");
  expect("/modules/script/settings/command", "[]", "modules.script.settings.command: must be");
  expect("/modules/script/settings/command", "[\"sh\"]", "command[0]: must be an absolute path");
  expect("/modules/shares", R"({"type":"docker","settings":{"image":"x"}})",
         "modules.shares: 'shares' is a built-in module");
  expect("/runtime/settings/registryCredentials/hub/password", "1",
         "runtime.settings.registryCredentials.hub.password: must be a text");
  json::object bad = whole();
  bad["modules"].as_object()["../up"] = json::object{{"type", "docker"}};
  const auto read = parse_deployment(bad);
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message().find("modules.../up: a module's name"), std::string::npos);
}

TEST(Manifest, SaysWhichStatusItIs) {
  EXPECT_EQ(parse_deployment(object(R"({"$version":1})")).error().reason(), "manifest_empty");
  json::object other = whole();
  other["schemaVersion"] = "2.0";
  EXPECT_EQ(parse_deployment(other).error().reason(), "manifest_schema");
  other["schemaVersion"] = "1.0";
  EXPECT_TRUE(parse_deployment(other));
  EXPECT_TRUE(parse_deployment(object(R"({"schemaVersion":"1.1"})")));
}

}  // namespace
}  // namespace holdfast::modules
