#include "automatic.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>

#include "base/log.h"
#include "child.h"
#include "net/runtime.h"

namespace holdfast {

using namespace inference;  // NOLINT(google-build-using-namespace)

namespace {

constexpr auto kLook = std::chrono::seconds(1);
constexpr auto kLookAtChild = std::chrono::milliseconds(50);
constexpr int kNice = 10;

}  // namespace

AutomaticTuning::AutomaticTuning(const ServeConfig& config, Repository& repository,
                                 const TuningStore& store)
    : config_(config), repository_(repository), store_(store) {
  if (config.tune) thread_ = std::thread([this] { loop(); });
}

AutomaticTuning::~AutomaticTuning() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  end_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void AutomaticTuning::loop() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    lock.unlock();
    for (const Entry& entry : repository_.list()) {
      if (!entry.current || entry.state != "READY" || !done_.insert(entry.digest).second) continue;
      const auto loaded = repository_.find(entry.name, entry.version);
      if (!loaded || (*loaded)->pipeline) continue;  // of a pipeline its models are tuned
      if (store_.read(entry.digest) || !measure(entry)) continue;
      if (auto tuned = run_task(repository_.retune(entry.name, entry.version)); !tuned)
        log::warning("inference", "a model could not be loaded as it was tuned",
                     {{"model", entry.name}, {"error", tuned.error().message()}});
    }
    lock.lock();
    end_.wait_for(lock, kLook, [this] { return ending_; });
  }
}

bool AutomaticTuning::measure(const Entry& entry) {
  const std::string model =
      config_.models + "/" + entry.name + "/" + std::to_string(entry.version) + "/model.onnx";
  const auto child = start_measuring(
      {"tune", "--model", model, "--store", config_.data + "/tuning", "--budget",
       std::to_string(config_.tune_budget.count()) + "ms", "--engine", config_.engine, "--threads",
       std::to_string(config_.threads), "--lanes", std::to_string(config_.lanes)});
  if (!child) {
    log::warning("inference", "no process for tuning", {{"error", child.error().message()}});
    return false;
  }
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(*child), kNice);
  log::info("inference", "tuning begins", {{"model", entry.name}});
  const int status = wait_for(*child);
  const bool fine = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  log::info("inference", fine ? "tuning has ended" : "tuning has failed", {{"model", entry.name}});
  return fine;
}

int AutomaticTuning::wait_for(int child) {
  int status = 0;
  std::unique_lock lock(mutex_);
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (end_.wait_for(lock, kLookAtChild, [this] { return ending_; })) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      break;
    }
  }
  return status;
}

}  // namespace holdfast
