// The JSON of runs and their metrics.
#pragma once

#include "ml/http/wire.h"

namespace holdfast::ml {

json::object describe(const Run& run);
json::object describe(const Metric& metric);
Result<Metric> metric_of(const Args& args);

}  // namespace holdfast::ml
