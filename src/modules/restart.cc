#include "modules/restart.h"

#include <algorithm>

namespace holdfast::modules {

std::chrono::seconds back_off(unsigned restarts, const RestartRule& rule) {
  // Beyond 2^20 the limit has long been reached, and the shift must not overflow.
  return std::min(rule.first * (int64_t{1} << std::min(restarts, 20U)), rule.most);
}

Verdict judge(RestartPolicy policy, Ended how, const Life& life, WallTime now,
              const RestartRule& rule) {
  if (policy == RestartPolicy::never) return Verdict::leave;
  if (policy != RestartPolicy::always && how == Ended::well) return Verdict::leave;
  if (life.restarts >= rule.tries) return Verdict::give_up;
  return now - life.last_exit >= back_off(life.restarts, rule) ? Verdict::restart : Verdict::wait;
}

bool recovered(const Life& life, WallTime now, const RestartRule& rule) {
  return life.restarts > 0 && now - life.last_start >= rule.cleared_after;
}

}  // namespace holdfast::modules
