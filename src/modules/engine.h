// The seam to what runs modules: a container engine, or supervised processes. Every engine knows
// its own containers by their labels (or table) and sees no others.
#pragma once

#include <chrono>

#include "modules/plan.h"
#include "net/task.h"

namespace holdfast::modules {

struct ContainerSpec {
  std::string name;         // the module's
  std::string fingerprint;  // of its ModuleSpec; comes back in list()
  std::string image;
  PullPolicy pull = PullPolicy::on_create;
  RegistryCredential registry;  // empty address: none
  boost::json::object create_options;
  std::vector<std::string> command;  // of a process
  Pairs env;                         // whole, with our own variables; may hold secrets
  Pairs labels;
};

// Any thread may call; calls for one name do not overlap. Common failures: unavailable (the engine
// does not answer), not_found (no such container), internal.
class ContainerEngine {
 public:
  virtual ~ContainerEngine() = default;
  // Fetches what create() needs; may take long, disturbs nothing that runs. not_found: no such
  // image and it may not or can not be pulled; denied: the registry refuses.
  virtual Task<Result<void>> prepare(ContainerSpec spec) = 0;
  // conflict: the name is taken; invalid_argument: create options that the engine refuses.
  virtual Task<Result<void>> create(ContainerSpec spec) = 0;
  // Both are done already where it runs, or does not. stop() returns when it has ended; after
  // `grace` it is killed.
  virtual Task<Result<void>> start(std::string name) = 0;
  virtual Task<Result<void>> stop(std::string name, std::chrono::seconds grace) = 0;
  // Kills it where it runs. Success where there is none.
  virtual Task<Result<void>> remove(std::string name) = 0;
  virtual Task<Result<std::vector<Actual>>> list() = 0;
  // The last `lines` of both outputs, at most 128 KiB.
  virtual Task<Result<std::string>> logs(std::string name, unsigned lines) = 0;
};

}  // namespace holdfast::modules
