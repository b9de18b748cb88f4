// Which models drift, remembered over restarts, and the event that tells of each: one file with one
// line in a directory, for a cloud share, so that the uplink carries it to where models are
// trained.
//
// The event is decided on and kept in the state file first, then written, then marked as written:
// whatever is killed in between, it is written again under the same name and with the same id. So
// it comes at least once, and once where nothing is killed. Blocking; use by one thread at a time.
#pragma once

#include <map>
#include <string>

#include "inference/drift/window.h"

namespace holdfast::inference {

inline constexpr const char* kDriftType = "holdfast.inference.drift";

struct DriftSubject {
  std::string model;
  int64_t version = 0;
  std::string model_digest, profile_digest;
  auto operator<=>(const DriftSubject&) const = default;
};

// A CloudEvents 1.0 event: type holdfast.inference.drift, its data as in the JSON of reports, with
// what is over its limit alone, and 32 features at most. `device` "": it names none.
std::string event_line(const DriftSubject& of, const DriftReport& report, const std::string& id,
                       const std::string& device);
// "drift-MODEL-20261127T134900-0a1b2c3d.jsonl"
std::string event_name(const DriftSubject& of, WallTime at, const std::string& id);

class DriftEvents {
 public:
  // invalid_argument: the state file is damaged; as errno_error() maps. Writes what an earlier life
  // has not.
  static Result<DriftEvents> open(std::string state_file, std::string directory,
                                  std::string device);

  bool drifting(const DriftSubject& of) const { return known_.contains(of); }
  // Empty where it does not drift.
  std::string event_of(const DriftSubject& of) const;
  // Nothing where it drifts already. As replace_file(): nothing was decided then.
  Result<void> begin(const DriftSubject& of, const DriftReport& report);
  Result<void> end(const DriftSubject& of);
  // Writes what is not written yet. unavailable: the directory holds 1000 events already.
  Result<void> deliver();
  bool waiting() const;

 private:
  struct Known {
    std::string id, since, name, line;  // line empty: it is written
  };
  DriftEvents(std::string state_file, std::string directory, std::string device)
      : state_file_(std::move(state_file)),
        directory_(std::move(directory)),
        device_(std::move(device)) {}
  Result<void> read();
  Result<void> keep() const;
  std::string state_file_, directory_, device_;
  std::map<DriftSubject, Known> known_;
};

}  // namespace holdfast::inference
