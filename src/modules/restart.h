// When a module that has ended is started again. Pure functions; times are passed in.
// Source: Azure/iotedge, RestartPolicyManager.cs and appsettings_agent.json: delay = min(10 s ·
// 2^restarts, 300 s), failed after 20 restarts, the count is cleared after 10 minutes of health.
#pragma once

#include <chrono>

#include "base/clock.h"
#include "modules/manifest.h"

namespace holdfast::modules {

struct RestartRule {
  std::chrono::seconds first{10}, most{300}, cleared_after{600};
  unsigned tries = 20;
};

// What is remembered of a module between its lives; durable.
struct Life {
  std::string fingerprint;  // of the spec that it belongs to; another one begins anew
  unsigned restarts = 0;    // after ends
  unsigned failures = 0;    // of making it, one after the other
  bool attempted = false;   // a first start was tried
  WallTime last_start{}, last_exit{}, last_restart{};  // the epoch: never
  int exit_code = 0;
  std::string problem;  // why it does not run; empty where it does
};

enum class Ended { well, badly };  // exit code 0 or not

std::chrono::seconds back_off(unsigned restarts, const RestartRule& rule = {});

enum class Verdict { leave, wait, restart, give_up };
// For a module that should run and does not.
Verdict judge(RestartPolicy policy, Ended how, const Life& life, WallTime now,
              const RestartRule& rule = {});
// Whether a module that runs has earned a clean sheet.
bool recovered(const Life& life, WallTime now, const RestartRule& rule = {});

}  // namespace holdfast::modules
