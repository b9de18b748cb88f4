// What the device hub keeps, as plain types.
#pragma once

#include <boost/json/object.hpp>

#include <array>
#include <optional>
#include <string>

#include "base/clock.h"
#include "device_wire/address.h"
#include "device_wire/properties.h"

namespace holdfast::iot {

using device_wire::Address;
using device_wire::Properties;

inline constexpr std::string_view kEdgeAgent = "$edgeAgent";
inline constexpr std::string_view kEdgeHub = "$edgeHub";
// managedBy of the modules that a manifest makes and removes.
inline constexpr std::string_view kManagedByEdge = "IotEdge";

struct Identity {
  Address address;
  std::string generation;  // another one after the same id was deleted and made anew
  std::string etag;
  WallTime created{};
  bool enabled = true;
  std::string status_reason;
  WallTime status_changed{};
  std::array<std::string, 2> keys;  // base64; not for logs
  bool edge = false;                // capabilities.iotEdge; devices only
  std::string managed_by;           // modules only
};

// What a caller gives for a new identity, or wants changed; nullopt: made here, or left as it is.
struct IdentityWishes {
  std::optional<bool> enabled;
  std::optional<std::string> status_reason;
  std::array<std::optional<std::string>, 2> keys;  // base64 of 16 to 64 bytes
  std::optional<bool> edge;
  std::optional<std::string> managed_by;
};

struct Presence {
  bool connected = false;
  WallTime changed{}, last_activity{};
};

// A twin's section: a JSON object, when each of its parts was written, and a version that counts
// its writes.
struct Section {
  boost::json::object values;
  boost::json::object metadata;  // $lastUpdated, $lastUpdatedVersion, nested as `values` are
  uint64_t version = 1;
};
struct Twin {
  Address address;
  std::string etag;
  uint64_t version = 1;  // of tags and desired together
  boost::json::object tags;
  Section desired, reported;
};

// A message that a device or module sent.
struct Message {
  uint64_t sequence = 0;
  Address from;
  WallTime enqueued{};
  Properties properties;  // system ones are named "$.…"
  std::string body;
};

// An If-Match condition: nullopt: none; "*": any that is there.
using IfMatch = std::optional<std::string>;

}  // namespace holdfast::iot
