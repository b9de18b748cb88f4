#include "net/runtime.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/cores.h"

namespace holdfast {
namespace {

namespace asio = boost::asio;

void name_thread(std::string name) {
  name.resize(std::min<size_t>(name.size(), 15));  // the kernel's limit
  pthread_setname_np(pthread_self(), name.c_str());
}

thread_local asio::io_context* own_context = nullptr;  // what the thread runs

// Runs what is ready until the context is stopped. A sleeping core takes longer to wake than a busy
// client's next request takes to come: so a thread that was woken soon after it fell asleep looks
// again for a moment before it sleeps, and yields the core to whoever else wants it at every fourth
// look: to yield takes as long as to look. A moment spent in vain ends that until work comes
// quickly again. (To sleep as soon as somebody else took the core would cost sixteen callers of a
// small model a third of their requests: they are who takes it.)
void run_eagerly(asio::io_context& context) {
  using Clock = std::chrono::steady_clock;
  own_context = &context;
  constexpr auto kMoment = std::chrono::microseconds(100);
  bool eager = false;
  while (!context.stopped()) {
    if (context.poll() > 0) continue;
    if (eager) {
      size_t ran = 0;
      const auto until = Clock::now() + kMoment;
      for (unsigned looks = 0; ran == 0 && Clock::now() < until; ++looks) {
        if (looks % 4 == 0) ::sched_yield();
        ran = context.poll();
      }
      if (ran > 0) continue;
    }
    const auto asleep = Clock::now();
    context.run_one();
    eager = Clock::now() - asleep < kMoment;
  }
}

// Other threads that are about to resume a task still touch its context for a moment after the task
// went on, and may even have ended: no context goes before they are through.
std::atomic<int> resuming{0};
struct Resuming {
  Resuming() { ++resuming; }
  ~Resuming() { --resuming; }
  Resuming(const Resuming&) = delete;
};

}  // namespace

bool run_another() noexcept {
  return own_context != nullptr && own_context->poll_one() > 0;
}

Task<void> suspend(std::function<void(std::function<void()>)> start) {
  auto initiate = [](auto handler, std::function<void(std::function<void()>)> begin) {
    auto executor = asio::prefer(asio::get_associated_executor(handler),
                                 asio::execution::outstanding_work.tracked);
    using Resumption = std::pair<decltype(handler), decltype(executor)>;
    auto kept = std::make_shared<std::optional<Resumption>>(std::in_place, std::move(handler),
                                                            std::move(executor));
    begin([kept] {
      const Resuming under_way;
      // Nothing of the context stays in the closure, which may live on.
      auto [resumed, on] = std::move(**kept);
      kept->reset();
      asio::post(on, std::move(resumed));
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      initiate, asio::use_awaitable, std::move(start));
}

struct Runtime::State {
  struct Core {
    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> guard{context.get_executor()};
    std::thread thread;
  };
  std::vector<std::unique_ptr<Core>> cores;
  std::atomic<unsigned> next{0};
  std::mutex mutex;
  std::condition_variable changed;
  bool started = false, stopped = false;
  int signal = 0;
};

namespace {

// Sockets and stored files: as many as the system allows, where a shell's default is 1,024.
void raise_open_files() {
  constexpr rlim_t kEnough = 1 << 20;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t most = std::min(limit.rlim_max, kEnough);
  if (limit.rlim_cur >= most) return;
  limit.rlim_cur = most;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Runtime::Runtime(unsigned threads) : state_(std::make_unique<State>()) {
  raise_open_files();
  if (threads == 0) threads = std::min(usable_cores(), 16u);
  for (unsigned i = 0; i < threads; ++i) state_->cores.push_back(std::make_unique<State::Core>());
}

Runtime::~Runtime() {
  for (auto& core : state_->cores) core->guard.reset();
  for (auto& core : state_->cores) core->context.stop();
  for (auto& core : state_->cores) {
    if (core->thread.joinable()) core->thread.join();
  }
  while (resuming.load() > 0) std::this_thread::yield();
}

unsigned Runtime::size() const {
  return static_cast<unsigned>(state_->cores.size());
}
Executor Runtime::executor(unsigned index) {
  return state_->cores[index % size()]->context.get_executor();
}
Executor Runtime::next_executor() {
  return executor(state_->next.fetch_add(1, std::memory_order_relaxed));
}

void Runtime::start() {
  const std::lock_guard lock(state_->mutex);
  if (state_->started) return;
  state_->started = true;
  for (unsigned i = 0; i < size(); ++i) {
    auto* core = state_->cores[i].get();
    core->thread = std::thread([core, i] {
      name_thread("io-" + std::to_string(i));
      run_eagerly(core->context);
    });
  }
}

int Runtime::wait() {
  asio::signal_set signals(state_->cores[0]->context, SIGINT, SIGTERM);
  signals.async_wait([this](const boost::system::error_code& error, int number) {
    if (error) return;
    const std::lock_guard lock(state_->mutex);
    state_->signal = number;
    state_->stopped = true;
    state_->changed.notify_all();
  });
  start();
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [this] { return state_->stopped; });
  return state_->signal;
}

void Runtime::stop() {
  const std::lock_guard lock(state_->mutex);
  state_->stopped = true;
  state_->changed.notify_all();
}

struct BlockingPool::State {
  std::mutex mutex;
  std::condition_variable ready;
  std::deque<std::function<void()>> queue;
  bool closing = false;
  std::vector<std::thread> threads;

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      ready.wait(lock, [this] { return closing || !queue.empty(); });
      if (queue.empty()) return;
      auto next = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      next();
      next = nullptr;
      lock.lock();
    }
  }
};

BlockingPool::BlockingPool(std::string name, unsigned threads) : state_(std::make_unique<State>()) {
  for (unsigned i = 0; i < std::max(1u, threads); ++i) {
    state_->threads.emplace_back([state = state_.get(), name] {
      name_thread(name);
      state->work();
    });
  }
}

BlockingPool::~BlockingPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->closing = true;
  }
  state_->ready.notify_all();
  for (auto& thread : state_->threads) thread.join();
}

void BlockingPool::submit(std::function<void()> work) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->queue.push_back(std::move(work));
  }
  state_->ready.notify_one();
}

}  // namespace holdfast
