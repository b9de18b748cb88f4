// The flows' part of the edge's API.
#pragma once

#include <boost/json/fwd.hpp>
#include <memory>
#include <vector>

#include "answers/flow.h"
#include "net/http/router.h"

namespace holdfast::answers {

using Flows = std::vector<std::unique_ptr<Flow>>;

// GET /api/v1/transforms: {"transforms":[{name, share, to, state, message, pending, done, failed,
// skipped,
//   set_aside, batches:{waiting, files, rows}}]}
// GET /api/v1/answers?limit=: {"answers":[{name, transform, model, to, state, message, answered,
// open_lines,
//   latency:{count, p50_ms, p99_ms}, last:[…]}]}; latency is file closed → answer on disk, last are
//   the newest lines (0 to 100, 10 where not asked).
// All must outlive the router.
void mount(http::Router& router, const Flows& flows, shares::FileEvents& events,
           store::Database& database);

// The lists of both documents, for the whole status.
Task<Result<boost::json::value>> transforms_json(const Flows& flows, shares::FileEvents& events,
                                                 store::Database& database);
boost::json::value answers_json(const Flows& flows, size_t limit);

}  // namespace holdfast::answers
