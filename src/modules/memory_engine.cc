#include "modules/memory_engine.h"

#include "modules/process_engine.h"

namespace holdfast::modules {

Result<void> MemoryEngine::begin(const std::string& what, const std::string& name) {
  calls_.push_back(what + " " + name);
  auto& waiting = failures_[what];
  if (waiting.empty()) return {};
  const Error error = waiting.front();
  waiting.pop_front();
  return std::unexpected(error);
}

Task<Result<void>> MemoryEngine::prepare(ContainerSpec spec) {
  const std::lock_guard lock(mutex_);
  CO_TRY_VOID(begin("prepare", spec.name));
  if (type_ == ModuleType::docker && !images_.contains(spec.image))
    co_return fail(Code::not_found, "there is no image " + spec.image);
  co_return Result<void>();
}

Task<Result<void>> MemoryEngine::create(ContainerSpec spec) {
  const std::lock_guard lock(mutex_);
  CO_TRY_VOID(begin("create", spec.name));
  if (containers_.contains(spec.name))
    co_return fail(Code::conflict, "there is a container " + spec.name);
  Container made;
  made.actual = {spec.name, type_, spec.fingerprint, Running::created, 0, {}, {}, spec.image};
  made.spec = std::move(spec);
  containers_.emplace(made.spec.name, std::move(made));
  co_return Result<void>();
}

Task<Result<void>> MemoryEngine::start(std::string name) {
  const std::lock_guard lock(mutex_);
  CO_TRY_VOID(begin("start", name));
  const auto found = containers_.find(name);
  if (found == containers_.end()) co_return fail(Code::not_found, "no container " + name);
  if (found->second.actual.state != Running::running) {
    found->second.actual.state = Running::running;
    found->second.actual.started = clock_.now();
    found->second.log += "started\n";
  }
  co_return Result<void>();
}

Task<Result<void>> MemoryEngine::stop(std::string name, std::chrono::seconds) {
  const std::lock_guard lock(mutex_);
  CO_TRY_VOID(begin("stop", name));
  const auto found = containers_.find(name);
  if (found == containers_.end()) co_return fail(Code::not_found, "no container " + name);
  if (found->second.actual.state == Running::running) {
    found->second.actual.state = Running::exited;
    found->second.actual.exit_code = 0;
    found->second.actual.finished = clock_.now();
    found->second.log += "stopped\n";
  }
  co_return Result<void>();
}

Task<Result<void>> MemoryEngine::remove(std::string name) {
  const std::lock_guard lock(mutex_);
  CO_TRY_VOID(begin("remove", name));
  containers_.erase(name);
  co_return Result<void>();
}

Task<Result<std::vector<Actual>>> MemoryEngine::list() {
  const std::lock_guard lock(mutex_);
  auto& waiting = failures_["list"];
  if (!waiting.empty()) {
    const Error error = waiting.front();
    waiting.pop_front();
    co_return std::unexpected(error);
  }
  std::vector<Actual> out;
  for (const auto& [name, container] : containers_) out.push_back(container.actual);
  co_return out;
}

Task<Result<std::string>> MemoryEngine::logs(std::string name, unsigned lines) {
  const std::lock_guard lock(mutex_);
  const auto found = containers_.find(name);
  if (found == containers_.end()) co_return fail(Code::not_found, "no container " + name);
  co_return tail(found->second.log, lines);
}

void MemoryEngine::end(const std::string& name, int exit_code) {
  const std::lock_guard lock(mutex_);
  Actual& actual = containers_.at(name).actual;
  actual.state = Running::exited;
  actual.exit_code = exit_code;
  actual.finished = clock_.now();
}

void MemoryEngine::add_image(const std::string& image) {
  const std::lock_guard lock(mutex_);
  images_.insert(image);
}

void MemoryEngine::fail_next(const std::string& what, Error error) {
  const std::lock_guard lock(mutex_);
  failures_[what].push_back(std::move(error));
}

std::vector<std::string> MemoryEngine::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

ContainerSpec MemoryEngine::spec(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return containers_.at(name).spec;
}

}  // namespace holdfast::modules
