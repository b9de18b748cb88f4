// Levels what runs to what is desired: on every tick, on every change, and after every action.
//
// Everything happens on one executor; actions (fetching, replacing, starting) are tasks of their
// own, one a module, so that a slow one holds back neither the others nor the supervision. A kill
// at any point leaves work that the next life's first tick finds undone, and each action may be
// repeated.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "modules/engine.h"
#include "modules/model_server.h"
#include "modules/reported.h"
#include "modules/state.h"
#include "net/task_group.h"
#include "net/wake.h"
#include "oci/registry_client.h"

namespace holdfast::modules {

struct ReconcilerParts {
  store::Database& database;
  BlockingPool& pool;
  const Clock& clock;
  std::string directory;  // for layers that are being fetched
  // Null: modules of that type are not offered here, and say so.
  ContainerEngine* containers = nullptr;
  ContainerEngine* processes = nullptr;
  ModelServer* models = nullptr;
  oci::RegistryClient* registry = nullptr;
  // The variables that a module finds its broker and identity by. May be empty.
  std::function<Task<Result<Pairs>>(std::string module)> environment;
  std::string surroundings;  // digest of all that environment() and the engines add; may be empty
  Host host;
  RestartRule rule;
  std::chrono::milliseconds tick{2000};
};

class Reconciler {
 public:
  // Takes up the last desired properties and lives. Fails as databases do. All parts must outlive
  // the tasks that start() spawns.
  static Result<std::unique_ptr<Reconciler>> open(ReconcilerParts parts);
  void start(Executor executor, TaskGroup& group);

  // The whole of $edgeAgent's desired properties. Durable when it returns; a document that can not
  // be read changes nothing but the reported status. On the reconciler's executor.
  Task<Result<void>> set_desired(boost::json::object desired);
  // What failed is tried again at once, for instance because the hub is back. Any thread.
  void retry_now();
  // As $edgeAgent reports it. Any thread.
  boost::json::object reported() const;
  // The deployment's modules that are no models: who speaks to the broker. Any thread.
  std::set<std::string> clients() const;
  // Called on the executor whenever reported() has changed. Set before start().
  void on_change(std::function<void()> call) { on_change_ = std::move(call); }
  // The last lines of a module. not_found, unsupported (a model has none).
  Task<Result<std::string>> logs(std::string module, unsigned lines);

  // One round of looking, planning and spawning; and the end of all actions. For run() and tests.
  Task<void> tick();
  Task<void> quiet();

 private:
  explicit Reconciler(ReconcilerParts parts, State state)
      : parts_(std::move(parts)), state_(state) {}
  void take(Deployment deployment);
  Task<void> run();
  Task<void> look();
  Task<void> look_at_models();
  Task<void> note_ends();
  Task<void> act(Action action);
  Task<Result<void>> perform(Action action);
  Task<Result<void>> remove(std::string name, ModuleType type);
  Task<Result<void>> deploy(ModuleSpec spec);
  Task<Result<void>> deploy_container(ModuleSpec spec);
  Task<Result<void>> deploy_model(ModuleSpec spec);
  Task<Result<void>> start_module(ModuleSpec spec);
  Task<Result<void>> keep(std::string name, Life life);
  Result<ContainerEngine*> engine_of(ModuleType type) const;
  const Actual* actual_of(std::string_view name) const;
  bool still_wanted(const ModuleSpec& spec) const;
  void publish();

  ReconcilerParts parts_;
  State state_;
  std::optional<Executor> executor_;
  TaskGroup* group_ = nullptr;
  std::function<void()> on_change_;
  Wake wake_, ended_;

  Deployment deployment_;
  DesiredStatus status_;
  std::vector<Actual> actual_;
  std::map<std::string, Life> lives_;
  std::map<std::string, InstalledModel> models_;
  std::set<std::string> busy_, blind_;  // blind: their engine did not answer this time
  std::atomic<bool> retry_{false};
  mutable std::mutex mutex_;  // of what reported() and clients() give
  boost::json::object reported_;
  std::set<std::string> clients_;
};

}  // namespace holdfast::modules
