// Lifecycle rules: blobs, snapshots and versions that by their age are put into a cooler tier or
// deleted. The rules are those of Azure's management policies. What is immutable, held or leased
// stays as it is.
#pragma once

#include <atomic>
#include <memory>

#include "base/yaml.h"
#include "blob/blobs.h"

namespace holdfast::blob {

// In days; all that are given must be exceeded. Nothing given: the action is not wanted.
struct LifecycleAge {
  std::optional<double> modified, created;
  bool wanted() const { return modified || created; }
};
struct LifecycleActions {
  LifecycleAge cool, cold, archive, remove;
};
struct LifecycleRule {
  std::string name;
  bool enabled = true;
  std::vector<BlobType> types;
  std::vector<std::string> prefixes;  // "container/beginning of the name"; none: everything
  Pairs tags;                         // all must be there, with these values
  LifecycleActions base, snapshot, version;
};
using LifecycleRules = std::vector<LifecycleRule>;

// A map with "rules", as a management policy has it; JSON is YAML. What this server has no action
// for is refused. invalid_argument with the place.
Result<LifecycleRules> parse_lifecycle(YamlMap& map);

enum class LifecycleAction { cool, cold, archive, remove };
std::string_view to_string(LifecycleAction action);
struct LifecycleStep {
  LifecycleAction action{};
  std::string account, container, rule;
  Info of;
};
// What the rules want of it now; where it is more than one thing, the cheapest to keep.
std::optional<LifecycleStep> lifecycle_step(const LifecycleRules& rules,
                                            const std::string& container, const Info& info,
                                            WallTime now);
// The prefixes of this container's names that the rules look at; none: none of it.
std::vector<std::string> lifecycle_prefixes(const LifecycleRules& rules,
                                            const std::string& container);

struct LifecycleReport {
  uint64_t looked_at = 0, tiered = 0, deleted = 0;
  uint64_t skipped = 0;              // changed meanwhile, leased, or with snapshots of its own
  std::vector<LifecycleStep> steps;  // the first thousand
};

// The passes. Any thread.
class Lifecycle {
 public:
  using RulesOf = std::function<const LifecycleRules&(std::string_view account)>;
  // `rate`: blobs a second that a pass looks at; 0: no limit. `blobs` must outlive it.
  Lifecycle(Blobs& blobs, RulesOf rules, uint64_t rate)
      : blobs_(blobs), rules_(std::move(rules)), rate_(rate) {}
  // Reads the index in short pages, so that no writer waits for it. conflict "lifecycle_running";
  // cancelled where its task ends.
  Task<Result<LifecycleReport>> pass(bool dry_run);
  // A pass every `every`; ends with its task.
  Task<void> run(std::chrono::milliseconds every);

 private:
  Task<Result<void>> walk(std::string account, std::string container, std::string prefix,
                          bool dry_run, LifecycleReport& report);
  // False where it was skipped.
  Task<Result<bool>> apply(const LifecycleStep& step, LifecycleReport& report);

  Blobs& blobs_;
  RulesOf rules_;
  uint64_t rate_;
  std::atomic<bool> running_{false};
};

}  // namespace holdfast::blob
