// A complete engine in memory: containers are rows, their ends and failures are told by the test.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <set>

#include "modules/engine.h"

namespace holdfast::modules {

class MemoryEngine final : public ContainerEngine {
 public:
  explicit MemoryEngine(const Clock& clock, ModuleType type = ModuleType::docker)
      : clock_(clock), type_(type) {}

  Task<Result<void>> prepare(ContainerSpec spec) override;
  Task<Result<void>> create(ContainerSpec spec) override;
  Task<Result<void>> start(std::string name) override;
  Task<Result<void>> stop(std::string name, std::chrono::seconds grace) override;
  Task<Result<void>> remove(std::string name) override;
  Task<Result<std::vector<Actual>>> list() override;
  Task<Result<std::string>> logs(std::string name, unsigned lines) override;

  // What the world does to it.
  void end(const std::string& name, int exit_code);  // a running one ends by itself
  void add_image(const std::string& image);          // without it, prepare() is not_found
  // The next call of `what` ("prepare", "create", …) fails so.
  void fail_next(const std::string& what, Error error);
  std::vector<std::string> calls() const;  // "create a", "start a", …
  ContainerSpec spec(const std::string& name) const;

 private:
  struct Container {
    ContainerSpec spec;
    Actual actual;
    std::string log;
  };
  Result<void> begin(const std::string& what, const std::string& name);
  const Clock& clock_;
  ModuleType type_;
  mutable std::mutex mutex_;
  std::map<std::string, Container> containers_;
  std::set<std::string> images_;
  std::map<std::string, std::deque<Error>> failures_;
  std::vector<std::string> calls_;
};

}  // namespace holdfast::modules
