// The JSON of model versions.
#pragma once

#include "ml/http/wire.h"

namespace holdfast::ml {

json::object describe(const ModelVersion& version);
void add_versions(Routes& routes);

}  // namespace holdfast::ml
