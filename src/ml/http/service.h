// MLflow's REST: tracking, registry and artifacts, as the unmodified client calls them, at /api and
// /ajax-api. Source: mlflow/protos (service.proto, model_registry.proto, mlflow_artifacts.proto).
#pragma once

#include "ml/artifacts.h"
#include "ml/logged_models.h"
#include "ml/models.h"
#include "ml/tracking.h"
#include "net/http/router.h"

namespace holdfast::ml {

struct MlParts {
  Tracking* tracking;
  Models* models;
  LoggedModels* logged_models;
  Artifacts* artifacts;
};

// The role of a token that a job's script gets: its principal's name is the id of the run. It reads
// everything, writes to that run, below its artifacts and its own logged models, and nothing else.
inline constexpr std::string_view kRunRole = "run";

inline constexpr uint64_t kArtifactBytes = uint64_t{16} << 30;  // of one file

// All must outlive the router. Errors are MLflow's: {"error_code", "message"}.
void mount(http::Router& router, MlParts parts, http::Authenticator authenticator);

}  // namespace holdfast::ml
