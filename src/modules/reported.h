// The reported properties of $edgeAgent. Pure functions.
// Source: Azure/iotedge, AgentState and the runtime-info types; doc/ on reported states.
#pragma once

#include <boost/json/object.hpp>

#include <map>
#include <vector>

#include "modules/plan.h"

namespace holdfast::modules {

struct Host {
  std::string version, architecture, kernel;  // of this program and machine
};
// What came of the newest desired properties.
struct DesiredStatus {
  int64_t version = 0;
  int code = 200;
  std::string description;
};
// 400, 412 or 417 by the reason of parse_deployment()'s error; 500 for others.
int status_code(const Error& error);

boost::json::object reported_properties(const Deployment& deployment, const DesiredStatus& status,
                                        const std::vector<Actual>& actual,
                                        const std::map<std::string, Life>& lives, const Host& host,
                                        WallTime now, const RestartRule& rule = {});

}  // namespace holdfast::modules
