// Trials as JSON: what is kept in a file, what a client sends and what it is told.
#pragma once

#include <boost/json/object.hpp>

#include "inference/trial.h"

namespace holdfast::inference {

// {"version": 2, "share": 10, …}; what is absent is as in `otherwise`. invalid_argument: unknown
// fields, other types, or what check() refuses.
Result<TrialSpec> parse_trial(const boost::json::object& object, const TrialSpec& otherwise = {});
boost::json::object to_json(const TrialSpec& spec);
// Of one trial: the state, the reason, the figures of both versions, the specification.
boost::json::object to_json(const Trial& trial);

}  // namespace holdfast::inference
