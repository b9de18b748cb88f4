// Logged models: what a run has made before anyone registers it. The domain, without a wire format.
#pragma once

#include <memory>

#include "base/clock.h"
#include "ml/types.h"
#include "store/database/database.h"

namespace holdfast::ml {

enum class LoggedStatus { pending = 1, ready, upload_failed };
std::string_view to_string(LoggedStatus status);  // "LOGGED_MODEL_PENDING" …
Result<LoggedStatus> logged_status_of(std::string_view text);

struct LoggedModel {
  std::string id;  // "m-" and 32 hex digits
  int64_t experiment = 0;
  std::string name, type, run;
  int64_t created_ms = 0, updated_ms = 0;
  LoggedStatus status = LoggedStatus::pending;
  Pairs tags, params;
  struct Measured {
    Metric metric;
    std::string run;
  };
  std::vector<Measured> metrics;  // the latest of each key

  std::string artifact_root() const;  // below the container: "7/models/m-…/artifacts"
};

struct NewLoggedModel {
  int64_t experiment = 0;
  std::string name, type, run;  // name empty: one is made
  Pairs tags, params;
};

// Any thread may call. Common failures: not_found, invalid_argument, unavailable, internal.
class LoggedModels {
 public:
  // On a database that Tracking has opened. Both must outlive it.
  LoggedModels(store::Database& database, const Clock& clock)
      : database_(database), clock_(clock) {}

  Task<Result<LoggedModel>> create(NewLoggedModel model);
  Task<Result<LoggedModel>> model(std::string id);
  Task<Result<LoggedModel>> set_status(std::string id, LoggedStatus status);
  Task<Result<void>> remove(std::string id);
  Task<Result<LoggedModel>> set_tags(std::string id, Pairs tags);
  Task<Result<void>> delete_tag(std::string id, std::string key);
  Task<Result<void>> log_params(std::string id, Pairs params);
  // `search.order_by` items are as in filter.h.
  Task<Result<PageOf<LoggedModel>>> search(std::vector<int64_t> experiments, Search search);

 private:
  int64_t now_ms() const;
  store::Database& database_;
  const Clock& clock_;
};

}  // namespace holdfast::ml
