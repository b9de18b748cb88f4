// The rows of triggers and firings. Inside a transaction; times are nanoseconds since 1970, UTC.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "store/database/database.h"
#include "training/trigger.h"

namespace holdfast::training {

// waiting and running: of a trigger on data; building to deploying: of one on a model. The others
// are ends.
enum class State {
  waiting,     // its job is not submitted yet
  running,     // its job is not over
  building,    // the version's image is not built yet
  evaluating,  // the job that compares is not over
  deploying,   // desired of the devices, not yet reported by all of them
  completed,
  promoted,  // the champion; nothing is to be deployed
  deployed,
  refused,
  superseded,  // another version became the champion before all devices had this one
  failed,
};
std::string_view to_string(State state);
bool is_open(State state);

struct Trigger {
  TriggerSpec spec;
  std::string yaml, job, code;
  WallTime created;
  int64_t seen = 0;  // the ETag, data version or sequence that fired last
};

struct Firing {
  int64_t id = 0;
  std::string trigger, subject;
  int64_t version = 0, turn = 0;
  State state = State::waiting;
  std::string job;      // the name of the job that it submitted; empty: none
  std::string verdict;  // JSON
  std::string error;
  WallTime created, updated;

  std::string job_name() const { return trigger + "-" + std::to_string(id); }
};

Result<std::vector<Trigger>> triggers_of(store::Tx& tx);
Result<Trigger> trigger_of(store::Tx& tx, const std::string& name);  // not_found
// `where` follows FROM firing.
Result<std::vector<Firing>> firings_where(store::Tx& tx, std::string_view where,
                                          std::initializer_list<store::Value> values);
// Nothing where this one was made already.
Result<void> insert_firing(store::Tx& tx, const Firing& firing);
Result<void> set_seen(store::Tx& tx, const std::string& trigger, int64_t seen);
// All but what identifies it.
Result<void> update_firing(store::Tx& tx, const Firing& firing);

}  // namespace holdfast::training
