// The routes of jobs on the hub's API, with Holdfast's JSON errors.
#pragma once

#include "jobs/jobs.h"
#include "net/http/router.h"

namespace holdfast::jobs {

//   PUT  /api/v1/code                           a tar archive → {id}; 32 MiB at most
//   POST /api/v1/jobs                           {name?, yaml, code?} → job
//   GET  /api/v1/jobs                           {jobs: […]}, newest first; ?limit= (100)
//   GET  /api/v1/jobs/{name}
//   POST /api/v1/jobs/{name}/cancel             → job
//   GET  /api/v1/jobs/{name}/logs               text; ?follow=true: until the job has ended
// `jobs` must outlive the router.
void mount(http::Router& router, Jobs& jobs);

}  // namespace holdfast::jobs
