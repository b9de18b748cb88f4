#include "modules/reported.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace holdfast::modules {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

const WallTime kNow{std::chrono::seconds(1'700'000'000)};

json::object object(std::string_view text) {
  return json::parse(text).as_object();
}

TEST(Reported, SaysWhatRunsAndWhatCameOfTheDesiredOnes) {
  const auto deployment = parse_deployment(object(R"({"$version": 3, "schemaVersion": "1.1",
    "runtime": {"type": "docker", "settings": {"registryCredentials":
       {"r": {"address": "a", "username": "u", "password": "secret"}}}},
    "systemModules": {"edgeHub": {"type": "docker", "status": "running"}},
    "modules": {"a": {"type": "docker", "version": "1.0", "status": "running",
                      "restartPolicy": "always", "settings": {"image": "img"}},
                "b": {"type": "docker", "settings": {"image": "none"}}}})"));
  ASSERT_TRUE(deployment);
  const ModuleSpec& a = deployment->modules[0];
  const std::vector<Actual> actual = {
      {"a", a.type, a.fingerprint(), Running::running, 0, kNow, {}, "sha256:1"}};
  std::map<std::string, Life> lives;
  lives["a"] = {a.fingerprint(), 2, 0, true, kNow, kNow - 10s, kNow, 137, ""};
  lives["b"] = {deployment->modules[1].fingerprint(), 0, 1, true, {}, kNow, {}, 0, "no such image"};
  const json::object out = reported_properties(*deployment, {3, 200, ""}, actual, lives,
                                               {"0.1.0", "x86_64", "6.1"}, kNow);
  EXPECT_EQ(out.at("lastDesiredVersion"), 3);
  EXPECT_EQ(json::serialize(out.at("lastDesiredStatus")), R"({"code":200,"description":""})");
  EXPECT_EQ(out.at("runtime").at("platform").at("architecture"), "x86_64");
  EXPECT_EQ(out.at("systemModules").at("edgeHub").at("runtimeStatus"), "running");
  const json::value& one = out.at("modules").at("a");
  EXPECT_EQ(one.at("runtimeStatus"), "running");
  EXPECT_EQ(one.at("restartCount"), 2);
  EXPECT_EQ(one.at("exitCode"), 137);
  EXPECT_EQ(one.at("lastStartTimeUtc"), "2023-11-14T22:13:20.0000000Z");
  EXPECT_EQ(one.at("settings").at("imageHash"), "sha256:1");
  EXPECT_EQ(one.at("restartPolicy"), "always");
  const json::value& other = out.at("modules").at("b");
  EXPECT_EQ(other.at("runtimeStatus"), "backoff");
  EXPECT_EQ(other.at("statusDescription"), "no such image");
  EXPECT_EQ(other.at("lastStartTimeUtc"), "0001-01-01T00:00:00Z");
  EXPECT_EQ(json::serialize(out).find("secret"), std::string::npos);
}

TEST(Reported, CodesFollowTheReason) {
  EXPECT_EQ(status_code(Error(Code::invalid_argument, "manifest_format", "")), 400);
  EXPECT_EQ(status_code(Error(Code::invalid_argument, "manifest_schema", "")), 412);
  EXPECT_EQ(status_code(Error(Code::invalid_argument, "manifest_empty", "")), 417);
  EXPECT_EQ(status_code(Error(Code::unavailable, "")), 500);
}

}  // namespace
}  // namespace holdfast::modules
