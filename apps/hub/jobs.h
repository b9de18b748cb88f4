// Command jobs as a part of the program: their database and their routes.
#pragma once

#include <memory>

#include "config.h"
#include "jobs/jobs.h"
#include "net/http/router.h"

namespace holdfast {

struct JobsPart {
  std::unique_ptr<store::Database> database;  // ml.db
  std::unique_ptr<jobs::Jobs> jobs;
};

// Opens <data>/db/ml.db and adds the routes to `router`. All must outlive it; the hub starts and
// stops `jobs`.
Result<JobsPart> open_jobs(const HubConfig& config, data::Assets& assets, const Clock& clock,
                           jobs::Hooks hooks, http::Router& router);

}  // namespace holdfast
