#include "jobs.h"

#include <filesystem>

#include "jobs/http/api.h"

namespace holdfast {

Result<JobsPart> open_jobs(const HubConfig& config, data::Assets& assets, const Clock& clock,
                           jobs::Hooks hooks, http::Router& router) {
  JobsPart part;
  TRY(part.database, store::open_sqlite({config.data + "/db/ml.db", 1}));
  std::error_code error;
  jobs::Options options;
  options.directory = std::filesystem::absolute(config.data, error).lexically_normal();
  options.python = config.jobs_python;
  options.slots = config.jobs_slots;
  options.hooks = std::move(hooks);
  TRY(part.jobs, jobs::Jobs::open(std::move(options), *part.database, assets, clock));
  jobs::mount(router, *part.jobs);
  return part;
}

}  // namespace holdfast
