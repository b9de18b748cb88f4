#include "inference/local/door.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "inference/local/request.h"
#include "net/task_group.h"

namespace holdfast::inference {
namespace {

using Descriptor = boost::asio::posix::stream_descriptor;

constexpr size_t kDescriptors = 4;  // of a message; one is used

struct Received {
  ssize_t size = 0;
  std::vector<Fd> passed;
  bool whole = true;
};

Received receive(int fd, std::string& into) {
  Received received;
  iovec part{into.data(), into.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kDescriptors * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  received.size = ::recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (received.size < 0) return received;
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
       head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    for (size_t at = 0; at + CMSG_LEN(sizeof(int)) <= head->cmsg_len; at += sizeof(int)) {
      int passed = -1;
      std::memcpy(&passed, CMSG_DATA(head) + at, sizeof passed);
      received.passed.emplace_back(passed);
    }
  }
  received.whole = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
  return received;
}

bool has_left(int fd) {
  pollfd look{fd, POLLRDHUP, 0};
  return ::poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

}  // namespace

struct LocalDoor::State {
  State(Runtime& runtime_, Repository& repository_, LocalOptions options_)
      : runtime(runtime_), repository(repository_), options(std::move(options_)) {}
  Runtime& runtime;
  Repository& repository;
  const LocalOptions options;
  int listener = -1;
  std::atomic<size_t> clients{0};
  TaskGroup group;

  Task<void> accept();
  Task<void> serve(int fd);
  bool admits(int fd) const;
};

bool LocalDoor::State::admits(int fd) const {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == ::geteuid() ||
         std::ranges::find(options.users, peer.uid) != options.users.end();
}

Task<void> LocalDoor::State::accept() {
  Descriptor descriptor(co_await boost::asio::this_coro::executor, listener);
  while (true) {
    const auto [error] = co_await descriptor.async_wait(
        Descriptor::wait_read, boost::asio::as_tuple(boost::asio::use_awaitable));
    if (error) co_return;
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)) continue;
    if (fd < 0) {
      log::warning("local", "cannot accept a connection", {{"error", std::strerror(errno)}});
      if (!co_await sleep_for(std::chrono::milliseconds(100))) co_return;
      continue;
    }
    if (!admits(fd) || clients >= options.max_clients) {
      log::warning("local", "a client was not let in");
      ::close(fd);
      continue;
    }
    ++clients;
    group.spawn(runtime.next_executor(), "local client", serve(fd));
  }
}

Task<void> LocalDoor::State::serve(int fd) {
  struct Leave {
    std::atomic<size_t>& clients;
    ~Leave() { --clients; }
  } const leave{clients};
  Descriptor descriptor(co_await boost::asio::this_coro::executor, fd);
  Regions regions;
  std::string message(kLocalMessage, '\0');
  while (true) {
    const auto [error] = co_await descriptor.async_wait(
        Descriptor::wait_read, boost::asio::as_tuple(boost::asio::use_awaitable));
    if (error) co_return;
    Received received = receive(fd, message);
    if (received.size < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (received.size <= 0) co_return;
    LocalAnswer answer;
    answer.text =
        R"({"error":"a message has at most 64 KiB and 4 descriptors","code":"too_large","kind":"too_large"})";
    if (received.whole) {
      const std::string_view text(message.data(), static_cast<size_t>(received.size));
      std::function<bool()> gone = [fd] { return has_left(fd); };
      LocalRequest request({repository, regions, options.tracer}, text, std::move(received.passed),
                           std::move(gone));
      if (auto at_once = request.at_once())
        answer = *std::move(at_once);
      else
        answer = co_await request.late();
    }
    // A client asks and then reads: what does not fit, it has let pile up.
    if (::send(fd, answer.text.data(), answer.text.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
      co_return;
  }
}

LocalDoor::LocalDoor(std::unique_ptr<State> state) : state_(std::move(state)) {}
LocalDoor::~LocalDoor() = default;

Result<std::unique_ptr<LocalDoor>> LocalDoor::start(Runtime& runtime, Repository& repository,
                                                    LocalOptions options) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& path = options.path;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return fail(Code::invalid_argument, "listen.local: '" + path + "' is not a path of 1 to " +
                                            std::to_string(sizeof address.sun_path - 1) + " bytes");
  std::memcpy(address.sun_path, path.data(), path.size());
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  Fd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  // Before the bind: the file has this mode from its beginning.
  if (!listener || ::fchmod(listener.get(), options.users.empty() ? 0600 : 0666) != 0)
    return std::unexpected(errno_error(errno, "listen.local"));
  if (::connect(listener.get(), generic, sizeof address) == 0)
    return fail(Code::conflict, "listen.local: another server listens at " + path);
  if (errno == ECONNREFUSED) ::unlink(path.c_str());  // what a killed one has left
  if (::bind(listener.get(), generic, sizeof address) != 0 || ::listen(listener.get(), 64) != 0)
    return std::unexpected(errno_error(errno, "listen.local: " + path));
  auto state = std::make_unique<State>(runtime, repository, std::move(options));
  state->listener = ::dup(listener.get());
  state->group.spawn(runtime.executor(0), "local accept", state->accept());
  return std::unique_ptr<LocalDoor>(new LocalDoor(std::move(state)));
}

void LocalDoor::stop() {
  ::unlink(state_->options.path.c_str());
  state_->group.cancel();
  run_task(state_->group.join());
}

}  // namespace holdfast::inference
