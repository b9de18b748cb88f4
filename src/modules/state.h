// What the reconciler keeps in edge.db. Component "modules".
#pragma once

#include "modules/plan.h"
#include "store/database/database.h"

namespace holdfast::modules {

struct InstalledModel {
  std::string name, fingerprint;
  int64_t version = 0;
  std::string digest;  // "sha256:…" of model.onnx
};

// Used by the reconciler alone. The database must outlive it. Fails as databases do.
class State {
 public:
  static Result<State> open(store::Database& database);

  // For start-up, blocking.
  Result<std::string> desired();  // "" where none came yet
  Result<std::map<std::string, Life>> lives();
  Result<std::map<std::string, InstalledModel>> models();

  Task<Result<void>> keep_desired(std::string body);
  Task<Result<void>> keep_life(std::string name, Life life);
  Task<Result<void>> drop_life(std::string name);
  Task<Result<void>> keep_model(InstalledModel model);
  Task<Result<void>> drop_model(std::string name);

 private:
  explicit State(store::Database& database) : database_(&database) {}
  store::Database* database_;
};

}  // namespace holdfast::modules
