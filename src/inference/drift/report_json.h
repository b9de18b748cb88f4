// What is told of drift, as JSON.
#pragma once

#include <boost/json/object.hpp>

#include "inference/drift/window.h"

namespace holdfast::inference {

// {"name","psi","psi_limit","ks","ks_limit","rows","missing","over"}
boost::json::object to_json(const DriftReport::Feature& feature);
// {"name","distance","distance_limit","rows","counts":{"LABEL":n},"other","over"}; a limit of 1 is
// none: the difference may be chance.
boost::json::object to_json(const DriftReport::Classes& classes);
// {"begun","ended","rows","drift","features":[…],"classes":[…]}
boost::json::object to_json(const DriftReport& report);

}  // namespace holdfast::inference
