#include "try_load.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "child.h"
#include "engines.h"
#include "inference/repository.h"
#include "inference/sandbox/confine.h"
#include "inference/warm_up.h"

namespace holdfast {

using namespace inference;  // NOLINT(google-build-using-namespace)

namespace {

// Of the process itself: libraries' data, and stacks of threads, which count as they are mapped.
constexpr uint64_t kOwnMemory = 512 << 20;

}  // namespace

Result<void> load_confined(const Flags& flags) {
  TRY(const uint64_t threads, number(flags, "threads", 1));
  TRY(const uint64_t memory, number(flags, "memory", 1 << 30));
  TRY(const uint64_t seconds, number(flags, "seconds", 60));
  const auto engine = offer_engines(flag(flags, "engine"), static_cast<int>(threads));
  TRY_VOID(engine->open());  // the libraries are ours
  TRY_VOID(confine(memory, std::chrono::seconds(seconds)));
  Loaded loaded;
  TRY(loaded.model, engine->load(flag(flags, "model")));
  // That made-up values are refused says nothing; that the limit was met does.
  const auto refused = warm_up(loaded);
  if (refused && refused->message().find("alloc") != std::string::npos)
    return fail(Code::too_large, "not a usable ONNX model: one run takes more than " +
                                     format_size(memory) + " of memory");
  return {};
}

Result<void> try_load(const ServeConfig& config, const std::string& path) {
  // With no limit of its own: most of the machine, so that it does not take the others' share.
  const uint64_t machine = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                           static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t memory = config.memory > 0 ? 2 * config.memory + kOwnMemory : machine / 4 * 3;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(config.sandbox_time);
  TRY(const Ended ended,
      run_measuring({"load", "--model", path, "--engine", config.engine, "--threads",
                     std::to_string(config.threads), "--memory", std::to_string(memory),
                     "--seconds", std::to_string(seconds.count())},
                    config.sandbox_time));
  if (WIFEXITED(ended.status) && WEXITSTATUS(ended.status) == 0) return {};
  const bool slow = ended.late || (WIFSIGNALED(ended.status) && WTERMSIG(ended.status) == SIGKILL);
  if (slow)
    return fail(Code::invalid_argument, "loading the model and running it once took longer than " +
                                            std::to_string(seconds.count()) +
                                            " s (sandbox: time in serve.yaml)");
  if (WIFSIGNALED(ended.status))
    return fail(Code::invalid_argument, "the engine crashes on the model: " +
                                            std::string(::sigdescr_np(WTERMSIG(ended.status))));
  return fail(Code::invalid_argument, ended.said.empty() ? "the model was refused" : ended.said);
}

}  // namespace holdfast
