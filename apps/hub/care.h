// The hub's storage, looked after: the routes behind `holdfast storage check|scrub|repair|usage`.
#pragma once

#include "net/http/router.h"
#include "store/objects/care.h"

namespace holdfast {

// GET /api/v1/storage/{usage,check,scrub}, POST /api/v1/storage/{repair,scrub}. All must outlive
// the router.
void mount_care(http::Router& router, store::ContentCare& care, store::Database& database);

}  // namespace holdfast
