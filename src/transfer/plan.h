// What has to be done to make one side hold what the other holds. A pure function.
#pragma once

#include <vector>

#include "transfer/tree.h"

namespace holdfast::transfer {

struct Step {
  enum class Kind {
    send,     // the target has it not, or of another size
    compare,  // of one size: the contents decide
    remove,   // the source has it not
  };
  Kind kind = Kind::send;
  Entry entry;         // of the source; of the target where it is removed
  std::string target;  // MD5 of what the target has, to compare with; empty: not known
};

struct Plan {
  std::vector<Step>
      steps;  // removals last, so that a cut run has deleted nothing that it had not replaced
  uint64_t same = 0;   // needs nothing: of one size and MD5
  uint64_t bytes = 0;  // of what is sent for sure
};

// Both ordered by name, as lists and read_tree() give them.
Plan plan_sync(const std::vector<Entry>& source, const std::vector<Entry>& target,
               bool remove_others);

}  // namespace holdfast::transfer
