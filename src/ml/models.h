// Registered models and their versions: numbered, never changed in what they are, named by aliases.
// The domain, without a wire format.
#pragma once

#include <functional>
#include <memory>

#include "base/clock.h"
#include "ml/types.h"
#include "store/database/database.h"

namespace holdfast::ml {

enum class VersionStatus { pending, failed, ready };
std::string_view to_string(VersionStatus status);  // "PENDING_REGISTRATION" …

struct ModelVersion {
  std::string model;
  int64_t number = 0;
  int64_t sequence = 0;  // grows with every new version of any model
  int64_t created_ms = 0, updated_ms = 0;
  std::string stage = "None";  // None, Staging, Production, Archived
  VersionStatus status = VersionStatus::ready;
  std::string status_message, description, user;
  std::string source;  // as it was given: "runs:/…", "models:/m-…", "mlflow-artifacts:/…"
  std::string root;    // where the bytes are, below the artifacts' container; empty: unknown
  std::string run, logged_model, run_link;
  std::string source_key;  // who asked for it, once: "job/NAME/OUTPUT"; mostly empty
  Pairs tags;
  std::vector<std::string> aliases;
};

struct RegisteredModel {
  std::string name, description;
  int64_t created_ms = 0, updated_ms = 0;
  Pairs tags;
  std::vector<std::pair<std::string, int64_t>> aliases;  // alias, version
  std::vector<ModelVersion> latest;                      // the newest of each stage
};

struct NewVersion {
  std::string model, source, run, logged_model, run_link, description, user;
  std::string root;        // as in ModelVersion
  std::string source_key;  // not empty: the same key again is the version that it made
  Pairs tags;
  VersionStatus status = VersionStatus::ready;
};

// Any thread may call. What was returned as done is on disk. Common failures: not_found,
// invalid_argument, unavailable, internal.
class Models {
 public:
  // On a database that Tracking has opened. Both must outlive it.
  Models(store::Database& database, const Clock& clock) : database_(database), clock_(clock) {}

  // conflict "exists".
  Task<Result<RegisteredModel>> create(std::string name, std::string description, Pairs tags);
  Task<Result<RegisteredModel>> ensure(std::string name);  // made where it is not there
  Task<Result<RegisteredModel>> model(std::string name);
  Task<Result<RegisteredModel>> rename(std::string name, std::string to);  // conflict "exists"
  Task<Result<RegisteredModel>> describe(std::string name, std::string description);
  Task<Result<void>> remove(std::string name);  // with its versions
  Task<Result<void>> set_tag(std::string name, std::string key, std::string value);
  Task<Result<void>> delete_tag(std::string name, std::string key);
  Task<Result<PageOf<RegisteredModel>>> search(Search search);

  // The next number of the model; conflict where `source_key` made a version of another model.
  Task<Result<ModelVersion>> create_version(NewVersion version);
  Task<Result<ModelVersion>> version(std::string name, int64_t number);
  Task<Result<std::vector<ModelVersion>>> versions(std::string name, size_t limit);  // newest first
  Task<Result<ModelVersion>> describe_version(std::string name, int64_t number,
                                              std::string description);
  Task<Result<ModelVersion>> set_status(std::string name, int64_t number, VersionStatus status,
                                        std::string message);
  Task<Result<ModelVersion>> set_stage(std::string name, int64_t number, std::string stage,
                                       bool archive_others);
  Task<Result<void>> remove_version(std::string name, int64_t number);
  Task<Result<void>> set_version_tag(std::string name, int64_t number, std::string key,
                                     std::string value);
  Task<Result<void>> delete_version_tag(std::string name, int64_t number, std::string key);
  Task<Result<PageOf<ModelVersion>>> search_versions(Search search);

  Task<Result<void>> set_alias(std::string name, std::string alias, int64_t number);
  Task<Result<void>> delete_alias(std::string name, std::string alias);
  // not_found "alias_not_found" where the model has no such alias.
  Task<Result<ModelVersion>> version_by_alias(std::string name, std::string alias);

  // The version (model, number) whose bytes are at the path, above it or below it.
  Task<Result<std::optional<std::pair<std::string, int64_t>>>> holder(std::string path);

  // In the order of their making; sequence 0: from the first. This is the truth; observers only
  // say that it is worth asking.
  Task<Result<std::vector<ModelVersion>>> versions_after(int64_t sequence, size_t limit);
  // Called after the commit of each new version, on the thread that made it; must not block. Added
  // before the first request.
  void observe(std::function<void(const ModelVersion&)> observer);

 private:
  int64_t now_ms() const;

  store::Database& database_;
  const Clock& clock_;
  std::vector<std::function<void(const ModelVersion&)>> observers_;
};

}  // namespace holdfast::ml
