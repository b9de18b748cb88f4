#include "modules/process_engine.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "base/files.h"

namespace holdfast::modules {
namespace {

constexpr off_t kLogLimit = 8 << 20;

void rotate(const std::string& log) {
  struct stat info{};
  if (::stat(log.c_str(), &info) == 0 && info.st_size > kLogLimit)
    (void)std::rename(log.c_str(), (log + ".1").c_str());
}

}  // namespace

// Its fields are guarded by the engine's mutex; the supervisor is used by one call at a time.
struct ProcessEngine::Child {
  explicit Child(ContainerSpec spec_) : spec(std::move(spec_)) {}
  ContainerSpec spec;
  std::unique_ptr<supervisor::Supervisor> process;
  bool begun = false, seen_ended = false;
  WallTime started{}, finished{};
};

ProcessEngine::ProcessEngine(std::string directory, BlockingPool& pool, const Clock& clock)
    : directory_(std::move(directory)), pool_(pool), clock_(clock) {}
ProcessEngine::~ProcessEngine() = default;

Result<std::shared_ptr<ProcessEngine::Child>> ProcessEngine::find(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = children_.find(name);
  if (found == children_.end()) return fail(Code::not_found, "there is no process of " + name);
  return found->second;
}

Task<Result<void>> ProcessEngine::prepare(ContainerSpec spec) {
  if (spec.command.empty()) co_return fail(Code::invalid_argument, "a process needs a command");
  if (::access(spec.command[0].c_str(), X_OK) != 0)
    co_return std::unexpected(errno_error(errno, spec.command[0]));
  co_return Result<void>();
}

Task<Result<void>> ProcessEngine::create(ContainerSpec spec) {
  CO_TRY_VOID(make_directories(directory_, 0700));
  const std::lock_guard lock(mutex_);
  const std::string name = spec.name;
  if (!children_.try_emplace(name, std::make_shared<Child>(std::move(spec))).second)
    co_return fail(Code::conflict, "there is a process of " + name);
  co_return Result<void>();
}

Task<Result<void>> ProcessEngine::start(std::string name) {
  CO_TRY(const auto child, find(name));
  if (child->process && child->process->status().state == supervisor::State::running)
    co_return Result<void>();
  supervisor::Program program;
  program.name = name;
  program.command = child->spec.command;
  program.environment = child->spec.env;
  program.log_file = log_file(name);
  program.restart = false;  // the reconciler's rule counts
  auto work = [program = std::move(program)]() mutable {
    using Made = std::unique_ptr<supervisor::Supervisor>;
    rotate(program.log_file);
    auto process = std::make_unique<supervisor::Supervisor>(std::move(program));
    if (const auto started = process->start(); !started)
      return Result<Made>(std::unexpected(started.error()));
    return Result<Made>(std::move(process));
  };
  CO_TRY(auto process, co_await pool_.run(std::move(work)));
  const std::lock_guard lock(mutex_);
  child->process = std::move(process);
  child->begun = true;
  child->seen_ended = false;
  child->started = clock_.now();
  co_return Result<void>();
}

Task<Result<void>> ProcessEngine::stop(std::string name, std::chrono::seconds) {
  CO_TRY(const auto child, find(name));
  if (!child->process) co_return Result<void>();
  auto work = [child] {
    child->process->stop();  // its own grace is ten seconds
    return true;
  };
  (void)co_await pool_.run(std::move(work));
  co_return Result<void>();
}

Task<Result<void>> ProcessEngine::remove(std::string name) {
  if (!find(name)) co_return Result<void>();
  CO_TRY_VOID(co_await stop(name, std::chrono::seconds(10)));
  const std::lock_guard lock(mutex_);
  children_.erase(name);
  co_return Result<void>();
}

Task<Result<std::vector<Actual>>> ProcessEngine::list() {
  std::vector<Actual> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, child] : children_) {
    Actual actual;
    actual.name = name;
    actual.type = ModuleType::process;
    actual.fingerprint = child->spec.fingerprint;
    if (child->begun) {
      const supervisor::Status status = child->process->status();
      const bool runs = status.state == supervisor::State::running;
      if (!runs && !child->seen_ended) {
        child->seen_ended = true;
        child->finished = clock_.now();
      }
      actual.state = runs ? Running::running : Running::exited;
      actual.exit_code = runs ? 0 : status.exit_code;
      actual.started = child->started;
      actual.finished = child->finished;
    }
    out.push_back(std::move(actual));
  }
  co_return out;
}

Task<Result<std::string>> ProcessEngine::logs(std::string name, unsigned lines) {
  CO_TRY(const auto child, find(name));
  auto work = [path = log_file(name), lines]() -> Result<std::string> {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) return std::string();
    const uint64_t most = 256 << 10, size = static_cast<uint64_t>(info.st_size);
    std::string text(std::min(size, most), '\0');
    TRY(const Fd fd, open_file(path, O_RDONLY | O_CLOEXEC));
    TRY_VOID(read_exact(fd.get(), std::as_writable_bytes(std::span(text)), size - text.size()));
    return tail(text, lines);
  };
  co_return co_await pool_.run(std::move(work));
}

std::string tail(std::string_view log, unsigned lines, size_t limit) {
  if (log.size() > limit) log.remove_prefix(log.size() - limit);
  size_t from = log.size();
  for (unsigned left = lines; left > 0 && from > 0; --left) {
    const size_t before = from < 2 ? std::string_view::npos : log.rfind('\n', from - 2);
    from = before == std::string_view::npos ? 0 : before + 1;
  }
  return std::string(log.substr(from));
}

}  // namespace holdfast::modules
