// Routes between modules: [SELECT *] FROM source [WHERE condition] INTO sink, and the $edgeHub part
// of a deployment that holds them. Plain values, any thread.
// Source: Azure/iotedge, Route.g4; doc/Route_priority_and_TTL.md.
#pragma once

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <vector>

#include "broker/condition.h"

namespace holdfast::broker {

// Where messages go: "$upstream", or "module/input".
inline constexpr std::string_view kUpstream = "$upstream";

struct Route {
  std::string name, text;
  std::string source;  // in lower case up to "/messages"; may hold '*' for a level or the rest
  std::optional<Condition> condition;
  std::string endpoint;
  uint32_t priority = 2'000'000'000;     // 0 first
  std::optional<uint32_t> time_to_live;  // seconds

  bool takes(const Message& message) const;
  // Whether some message of this source could be taken; conditions are not looked at.
  bool covers(std::string_view source_path) const;
};
// invalid_argument with the column.
Result<Route> parse_route(std::string_view text);

struct HubConfig {
  int64_t version = 0;  // desired.$version
  std::vector<Route> routes;
  uint32_t time_to_live = 7200;       // seconds
  std::optional<uint64_t> max_bytes;  // of the store; nullopt: as the edge is configured
};
// $edgeHub's desired properties. invalid_argument with the JSON path, and the reasons of
// modules/manifest.h ("manifest_empty", "manifest_schema", "manifest_format").
Result<HubConfig> parse_hub_config(const boost::json::object& desired);

struct Destination {
  std::string endpoint;
  uint32_t priority = 0, time_to_live = 0;
};
// Where a message goes: each endpoint once, with the route of the highest priority.
std::vector<Destination> destinations(const HubConfig& config, const Message& message);

}  // namespace holdfast::broker
