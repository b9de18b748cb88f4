// holdfast storage lifecycle.
#pragma once

#include "cli/context.h"

namespace holdfast::cli {

void add_storage_lifecycle(CLI::App& storage, Chosen& chosen);

}  // namespace holdfast::cli
