#include "inference_client/local_client.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace holdfast::inference_client {
namespace {

namespace json = boost::json;

using Clock = std::chrono::steady_clock;

constexpr size_t kMessage = 64 << 10;
constexpr auto kMoment = std::chrono::microseconds(100);

Error gone(const char* what) {
  return Error(Code::unavailable, "local_door",
               std::string("the inference server's local door: ") + what + ": " +
                   std::string(std::strerror(errno)));  // NOLINT(concurrency-mt-unsafe)
}

Result<Fd> memory_of(const std::string& name, size_t size) {
  Fd memory(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory || ::ftruncate(memory.get(), static_cast<off_t>(size)) != 0)
    return std::unexpected(errno_error(errno, "memfd"));
  return memory;
}

// The server's own words, and its code.
Error refused(const json::object& answer) {
  const auto text = [&](const char* key) {
    const json::value* value = answer.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
  };
  const std::string kind = text("kind");
  Code code = Code::unavailable;
  for (const Code known :
       {Code::invalid_argument, Code::unauthenticated, Code::denied, Code::not_found,
        Code::conflict, Code::precondition_failed, Code::too_large, Code::timed_out,
        Code::cancelled, Code::unsupported, Code::internal}) {
    if (to_string(known) == kind) code = known;
  }
  return Error(code, text("error"));
}

std::string registration(const std::string& name, size_t size) {
  return json::serialize(json::object{{"register", name}, {"byte_size", size}});
}

struct Shared {
  Fd memory;
  SharedMemory mapped;
};

Result<Shared> shared_memory(const std::string& name, size_t size) {
  TRY(Fd memory, memory_of(name, size));
  if (::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
    return std::unexpected(errno_error(errno, "memfd"));
  void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  if (at == MAP_FAILED) return std::unexpected(errno_error(errno, "memfd"));
  return Shared{std::move(memory), SharedMemory(name, {static_cast<std::byte*>(at), size})};
}

}  // namespace

SharedMemory::~SharedMemory() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

Result<LocalClient> LocalClient::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(Code::invalid_argument, "local_door",
                "'" + path + "' is too long for a Unix socket");
  std::memcpy(address.sun_path, path.data(), path.size());
  Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::fcntl(socket.get(), F_SETFL, 0) != 0)
    return std::unexpected(gone(path.c_str()));
  return LocalClient(std::move(socket));
}

Result<void> LocalClient::send(std::string_view message, int passed) {
  iovec part{const_cast<char*>(message.data()), message.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  if (passed >= 0) {
    head.msg_control = control;
    head.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&head);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &passed, sizeof passed);
  }
  // One message is under way at a time, so there is room for it.
  if (::sendmsg(socket_.get(), &head, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    return std::unexpected(gone("send"));
  return {};
}

ssize_t LocalClient::take(int flags) {
  answer_.resize(kMessage);
  return ::recv(socket_.get(), answer_.data(), answer_.size(), flags);
}

Result<std::string> LocalClient::answer_of(ssize_t size) const {
  if (size < 0 && errno == EAGAIN)
    return fail(Code::unavailable, "not_yet", "the inference server has not answered yet");
  if (size == 0) errno = ECONNRESET;
  if (size <= 0) return std::unexpected(gone("answer"));
  const std::string_view text(answer_.data(), static_cast<size_t>(size));
  if (!text.starts_with("{\"error\":")) return std::string(text);
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object()) return fail(Code::internal, "the server's answer is not JSON");
  return std::unexpected(refused(value.as_object()));
}

Result<std::string> LocalClient::ask(std::string_view message, int passed) {
  TRY_VOID(send(message, passed));
  const auto asked = Clock::now();
  ssize_t size = -1;
  errno = EAGAIN;
  // A thread that was woken soon after it fell asleep looks again for a moment before it sleeps, as
  // the server's do (net/runtime.cc): a quick model has answered before a sleeping core is awake.
  while (eager_ && size < 0 && errno == EAGAIN && Clock::now() - asked < kMoment) {
    ::sched_yield();
    size = take(MSG_DONTWAIT);
  }
  if (size < 0 && errno == EAGAIN) size = take(0);
  eager_ = Clock::now() - asked < kMoment;
  return answer_of(size);
}

Result<void> LocalClient::add(const std::string& name, const Fd& memory, size_t size) {
  TRY(const std::string answer, ask(registration(name, size), memory.get()));
  return {};
}

Result<SharedMemory> LocalClient::share(const std::string& name, size_t size) {
  TRY(Shared shared, shared_memory(name, size));
  TRY_VOID(add(name, shared.memory, size));
  return std::move(shared.mapped);
}

Result<SharedMemory> LocalClient::send_share(const std::string& name, size_t size) {
  TRY(Shared shared, shared_memory(name, size));
  TRY_VOID(send(registration(name, size), shared.memory.get()));
  return std::move(shared.mapped);
}

Result<void> LocalClient::share_constant(const std::string& name, ByteView bytes) {
  TRY(const Fd memory, memory_of(name, bytes.size()));
  TRY_VOID(write_all(memory.get(), bytes, 0));
  if (::fcntl(memory.get(), F_ADD_SEALS,
              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
    return std::unexpected(errno_error(errno, "memfd"));
  return add(name, memory, bytes.size());
}

Result<void> LocalClient::forget(const std::string& name) {
  TRY(const std::string answer, ask(json::serialize(json::object{{"unregister", name}})));
  return {};
}

Result<std::string> LocalClient::infer(std::string_view request) {
  return ask(request);
}

Result<void> LocalClient::send_infer(std::string_view request) {
  return send(request, -1);
}

Result<std::string> LocalClient::receive() {
  return answer_of(take(MSG_DONTWAIT));
}

}  // namespace holdfast::inference_client
