#include "modules/model_state.h"

#include <gtest/gtest.h>

namespace holdfast::modules {
namespace {

const InstalledModel kSecond{"m", "f", 2, "sha256:b"};

Served entry(int64_t version, std::string reason = "", bool current = false,
             bool on_trial = false) {
  const bool ready = reason.empty();
  return {"m",
          version,
          ready ? (version == 2 ? "sha256:b" : "sha256:a") : "",
          ready,
          current,
          on_trial,
          std::move(reason)};
}

struct Case {
  const char* what;
  std::vector<Served> served;
  bool canary;
  Running state;
  bool refused;
  std::string note;
};

TEST(ModelState, IsWhatTheServerMakesOfIt) {
  const std::vector<Case> cases = {
      {"serves", {entry(1), entry(2, "", true)}, false, Running::running, false, ""},
      {"promoted", {entry(1), entry(2, "", true)}, true, Running::running, false, ""},
      {"made room", {entry(2, "evicted", true)}, false, Running::running, false, ""},
      {"another one serves", {entry(1, "", true), entry(2)}, false, Running::created, false, ""},
      {"on trial",
       {entry(1, "", true), entry(2, "", false, true)},
       true,
       Running::running,
       false,
       "on trial beside version 1"},
      {"on trial, the other made room",
       {entry(1, "evicted", true), entry(2, "", false, true)},
       true,
       Running::running,
       false,
       "on trial beside version 1"},
      {"rolled back",
       {entry(1, "", true), entry(2, "refused: errors: 3 of 20")},
       true,
       Running::running,
       true,
       "refused: errors: 3 of 20; version 1 serves"},
      {"aborted by hand",
       {entry(1, "", true), entry(2)},
       true,
       Running::running,
       true,
       "its trial has ended; version 1 serves"},
      {"nothing serves", {entry(1, "unloaded"), entry(2)}, true, Running::created, false, ""},
      {"not there", {entry(1, "", true)}, true, Running::created, false, ""}};
  for (const Case& one : cases) {
    const Actual actual = model_state(kSecond, one.canary, one.served);
    EXPECT_EQ(actual.state, one.state) << one.what;
    EXPECT_EQ(actual.refused, one.refused) << one.what;
    EXPECT_EQ(actual.note, one.note) << one.what;
    EXPECT_EQ(actual.fingerprint, "f");
  }
}

TEST(ModelState, OtherBytesAreNotIt) {
  Served other = entry(2, "", true);
  other.digest = "sha256:c";
  EXPECT_EQ(model_state(kSecond, false, {other}).state, Running::created);
}

TEST(ModelState, WhatServesInstead) {
  EXPECT_EQ(serves_instead("m", 2, {entry(1, "", true), entry(2)}), 1);
  EXPECT_EQ(serves_instead("m", 2, {entry(1), entry(2, "", true)}), 0);
  EXPECT_EQ(serves_instead("other", 2, {entry(1, "", true)}), 0);
}

}  // namespace
}  // namespace holdfast::modules
