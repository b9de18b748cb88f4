#include "inference/running.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>

#include "base/files.h"

namespace holdfast::inference {
namespace {

constexpr uint64_t kMagic = 0x31474e494e4e5552;  // "RUNNING1"
constexpr uint32_t kLoading = 1U << 31;
constexpr size_t kRows = 256, kSlots = 256, kName = 128;

enum class PageState : uint32_t { fresh, alive, ended };

struct Row {
  char name[kName];  // filled up with zeros
  int64_t version;
  std::atomic<uint32_t> used, answered;
};
struct alignas(64) Slot {     // one thread's at a time
  std::atomic<uint32_t> row;  // 1 + its index; 0: free
  std::atomic<int32_t> thread;
  std::atomic<int64_t> since_ns;
};
struct Page {
  uint64_t magic;
  std::atomic<PageState> life;
  std::atomic<int32_t> signal, thread;
  Row rows[kRows];
  Slot slots[kSlots];
};
static_assert(std::atomic<int64_t>::is_always_lock_free);

Page& page_of(void* memory) {
  return *static_cast<Page*>(memory);
}

int64_t now_ns() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

int32_t this_thread() {
  thread_local const auto id = static_cast<int32_t>(::gettid());
  return id;
}

Death read_death(const Page& page) {
  Death death;
  if (page.magic != kMagic || page.life != PageState::alive) return death;
  death.orderly = false;
  death.signal = page.signal;
  const bool exact = death.signal != 0 && std::ranges::any_of(page.slots, [&](const Slot& slot) {
                       return slot.row != 0 && slot.thread == page.thread;
                     });
  std::vector<bool> suspected(kRows);
  const auto seen = [&page](size_t row, bool loading) {
    const Row& of = page.rows[row];
    return Death::Seen{{of.name, ::strnlen(of.name, kName)}, of.version, loading, of.answered != 0};
  };
  for (const Slot& slot : page.slots) {
    const uint32_t mark = slot.row;
    const uint32_t row = (mark & ~kLoading) - 1;
    if (mark == 0 || row >= kRows || suspected[row] || (exact && slot.thread != page.thread))
      continue;
    suspected[row] = true;
    death.suspects.push_back(seen(row, (mark & kLoading) != 0));
  }
  for (size_t row = 0; row < kRows; ++row) {
    if (page.rows[row].used != 0 && !suspected[row]) death.loaded.push_back(seen(row, false));
  }
  return death;
}

std::atomic<Page*> watched{nullptr};

void note(int signal) {
  if (Page* page = watched.load()) {
    page->thread = static_cast<int32_t>(::gettid());
    page->signal = signal;
  }
  ::raise(signal);  // to its default, which was put back
}

class MarkedModel final : public Model {
 public:
  MarkedModel(std::unique_ptr<Model> model, RunningPtr running)
      : model_(std::move(model)), running_(std::move(running)) {}
  std::string_view platform() const override { return model_->platform(); }
  const Signature& signature() const override { return model_->signature(); }
  Result<std::vector<Tensor>> run(const std::vector<TensorView>& inputs,
                                  const std::vector<std::string>& outputs) override {
    const Running::Run run(*running_);
    return model_->run(inputs, outputs);
  }

 private:
  std::unique_ptr<Model> model_;
  RunningPtr running_;
};

}  // namespace

Result<std::shared_ptr<RunningPage>> RunningPage::open(const std::string& path) {
  Death last;
  Fd fd;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  if (!path.empty()) {
    TRY(fd, open_file(path, O_RDWR | O_CREAT, 0600));
    flags = MAP_SHARED;
    if (::ftruncate(fd.get(), sizeof(Page)) != 0)  // longer by zeros where it was cut short
      return std::unexpected(errno_error(errno, path));
  }
  void* memory = ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, flags, fd.get(), 0);
  if (memory == MAP_FAILED) return std::unexpected(errno_error(errno, "map " + path));
  Page& page = page_of(memory);
  if (fd) {
    last = read_death(page);
    // Zeros without touching every page of it.
    if (::ftruncate(fd.get(), 0) != 0 || ::ftruncate(fd.get(), sizeof(Page)) != 0) {
      const int why = errno;
      ::munmap(memory, sizeof(Page));
      return std::unexpected(errno_error(why, path));
    }
  }
  page.magic = kMagic;
  page.life = PageState::alive;
  return std::make_shared<RunningPage>(std::move(last), memory);
}

RunningPage::~RunningPage() {
  Page* mine = &page_of(memory_);
  watched.compare_exchange_strong(mine, nullptr);
  page_of(memory_).life = PageState::ended;
  ::munmap(memory_, sizeof(Page));
}

void RunningPage::note_signals() {
  watched = &page_of(memory_);
  struct sigaction action{};
  action.sa_handler = note;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT})
    ::sigaction(signal, &action, nullptr);
}

RunningPtr RunningPage::add(std::string_view name, int64_t version) {
  uint32_t found = 0;
  for (uint32_t i = 0; i < kRows && found == 0; ++i) {
    Row& row = page_of(memory_).rows[i];
    uint32_t free = 0;
    if (!row.used.compare_exchange_strong(free, 1)) continue;
    std::memset(row.name, 0, kName);
    std::memcpy(row.name, name.data(), std::min(name.size(), kName));
    row.version = version;
    row.answered = 0;
    found = i + 1;
  }
  return std::make_shared<Running>(shared_from_this(), found);
}

Running::~Running() {
  if (row_ != 0) page_of(page_->memory_).rows[row_ - 1].used = 0;
}

void Running::answered() {
  if (row_ == 0) return;
  std::atomic<uint32_t>& flag = page_of(page_->memory_).rows[row_ - 1].answered;
  if (flag.load(std::memory_order_relaxed) == 0) flag.store(1, std::memory_order_relaxed);
}

int64_t Running::longest_ns() const {
  int64_t oldest = INT64_MAX;
  for (const Slot& slot : page_of(page_->memory_).slots) {
    const int64_t since = slot.since_ns;  // 0: its thread has not written it yet
    if (row_ != 0 && slot.row == row_ && since != 0) oldest = std::min(oldest, since);
  }
  return oldest == INT64_MAX ? 0 : std::max<int64_t>(0, now_ns() - oldest);
}

Running::Run::Run(Running& of, bool loading) : of_(of), slot_(kSlots) {
  if (of.row_ == 0) return;
  static std::atomic<size_t> threads{0};
  thread_local const size_t first = threads.fetch_add(1, std::memory_order_relaxed);
  Page& page = page_of(of.page_->memory_);
  const uint32_t mark = of.row_ | (loading ? kLoading : 0);
  for (size_t i = 0; i < kSlots; ++i) {
    Slot& slot = page.slots[(first + i) % kSlots];
    if (slot.row.load(std::memory_order_relaxed) != 0) continue;
    // Who reads the row finds the thread; another that takes the slot writes its own after it.
    uint32_t free = 0;
    if (!slot.row.compare_exchange_strong(free, mark)) continue;
    slot.thread.store(this_thread(), std::memory_order_relaxed);
    slot.since_ns.store(now_ns(), std::memory_order_relaxed);
    slot_ = (first + i) % kSlots;
    return;
  }
}

Running::Run::~Run() {
  if (slot_ == kSlots) return;
  Slot& slot = page_of(of_.page_->memory_).slots[slot_];
  slot.since_ns.store(0, std::memory_order_relaxed);
  slot.row.store(0, std::memory_order_release);
}

std::unique_ptr<Model> mark_runs(std::unique_ptr<Model> model, RunningPtr running) {
  return std::make_unique<MarkedModel>(std::move(model), std::move(running));
}

}  // namespace holdfast::inference
