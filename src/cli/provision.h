// What the edge of `holdfast up` needs from its hub, once: an account to upload to, and an identity
// as one of its devices.
#pragma once

#include "cli/context.h"

namespace holdfast::cli {

inline constexpr const char* kThisDevice = "this-machine";  // in the edge.yaml that `up` writes

// Makes the account site1 and the device where they are not there, and writes their keys (mode
// 0600) to <data>/edge/secrets. Repeatable.
Task<Result<void>> provision_edge(const Globals& globals);

}  // namespace holdfast::cli
