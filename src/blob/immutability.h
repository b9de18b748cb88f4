// What keeps a blob as it is.
#pragma once

#include "base/clock.h"

namespace holdfast::blob {

// Until when nothing of a blob may change.
struct Immutability {
  enum Mode { none, unlocked, locked } mode = none;
  WallTime until;
  bool hold = false;  // a legal hold: until it is lifted

  bool protects(WallTime now) const { return hold || (mode != none && until > now); }
};

}  // namespace holdfast::blob
