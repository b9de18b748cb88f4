// The hub's registry of images and the images of its models: built, mounted at /v2/, swept.
#pragma once

#include "config.h"
#include "registry/http/models.h"
#include "registry/http/service.h"

namespace holdfast {

struct Images {
  std::unique_ptr<registry::Registry> registry;
  std::unique_ptr<registry::ModelImages> models;
};

// Over storage.db and its objects, which must outlive it, as must `clock`; mounted on `router`.
Result<Images> open_images(const HubConfig& config, store::Database& storage,
                           store::ObjectStore& objects, const Clock& clock, http::Router& router);

}  // namespace holdfast
