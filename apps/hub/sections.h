// What the status page shows, from the hub's parts.
#pragma once

#include <vector>

#include "blob/blobs.h"
#include "console/http/overview.h"
#include "data/assets.h"
#include "iot/hub.h"
#include "ml/models.h"
#include "registry/registry.h"
#include "training/triggers.h"

namespace holdfast {

// All must outlive the sections.
struct StatusParts {
  iot::Hub& iot;
  data::Assets& assets;
  jobs::Jobs& jobs;
  ml::Models& models;
  training::Triggers& triggers;
  registry::Registry& images;
  blob::Blobs& blobs;
  identity::Accounts& accounts;
};
std::vector<console::Section> status_sections(StatusParts parts);

}  // namespace holdfast
