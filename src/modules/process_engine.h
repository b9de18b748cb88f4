// Modules as supervised child processes, for machines without a container engine. They die with
// this program, and the reconciler makes them anew.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "modules/engine.h"
#include "net/runtime.h"
#include "supervisor/supervisor.h"

namespace holdfast::modules {

class ProcessEngine final : public ContainerEngine {
 public:
  // Logs go to <directory>/<module>.log; one over 8 MiB at a start is kept as .log.1 and begun
  // anew. `pool` does what blocks (a stop for its whole grace).
  ProcessEngine(std::string directory, BlockingPool& pool, const Clock& clock);
  ~ProcessEngine() override;

  Task<Result<void>> prepare(ContainerSpec spec) override;  // not_found: no such program
  Task<Result<void>> create(ContainerSpec spec) override;
  Task<Result<void>> start(std::string name) override;
  Task<Result<void>> stop(std::string name, std::chrono::seconds grace) override;
  Task<Result<void>> remove(std::string name) override;
  Task<Result<std::vector<Actual>>> list() override;
  Task<Result<std::string>> logs(std::string name, unsigned lines) override;

 private:
  struct Child;
  Result<std::shared_ptr<Child>> find(const std::string& name) const;
  std::string log_file(const std::string& name) const { return directory_ + "/" + name + ".log"; }
  std::string directory_;
  BlockingPool& pool_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Child>> children_;
};

// The last `lines` of a log, at most `limit` bytes.
std::string tail(std::string_view log, unsigned lines, size_t limit = 128 << 10);

}  // namespace holdfast::modules
