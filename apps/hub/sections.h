// What the status page shows, from the hub's parts.
#pragma once

#include <vector>

#include "blob/blobs.h"
#include "console/http/overview.h"
#include "data/assets.h"
#include "iot/hub.h"
#include "registry/registry.h"

namespace holdfast {

// All must outlive the sections.
std::vector<console::Section> status_sections(iot::Hub& iot, data::Assets& assets,
                                              registry::Registry& images, blob::Blobs& blobs,
                                              identity::Accounts& accounts);

}  // namespace holdfast
