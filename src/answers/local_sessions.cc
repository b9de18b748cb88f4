#include "answers/local_sessions.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <tuple>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>

#include "inference_client/local_client.h"

namespace holdfast::answers {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using Descriptor = asio::posix::stream_descriptor;
using inference_client::LocalClient;
using inference_client::SharedMemory;

constexpr size_t kSessions = 8;  // of a flow: the server lets in 64
constexpr std::string_view kRegion = "in";

// Whether the connection can carry another question.
bool answered(const Result<std::string>& answer) {
  if (answer) return true;
  const Code code = answer.error().code();
  return answer.error().reason() != "local_door" && code != Code::timed_out &&
         code != Code::cancelled && code != Code::internal;
}

}  // namespace

struct LocalSessions::Session {
  // `copy` of the client's descriptor, which this one closes.
  Session(LocalClient client_, int copy, const Executor& executor, size_t& open_)
      : client(std::move(client_)), descriptor(executor, copy), timer(executor), open(open_) {
    ++open;
  }
  // The reactor is told: it would go by the last close of both descriptors, and what it heard of
  // this one just before would wake whoever gets its place.
  ~Session() {
    --open;
    ::close(descriptor.release());
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  LocalClient client;
  Descriptor descriptor;
  asio::steady_timer timer;
  std::optional<SharedMemory> memory;
  uint64_t armed = 0;  // number of the wait that the timer is for
  bool late = false;
  size_t& open;
};

LocalSessions::LocalSessions(std::string path, std::chrono::milliseconds limit)
    : path_(std::move(path)), limit_(limit) {}
LocalSessions::~LocalSessions() = default;

Task<Result<std::string>> LocalSessions::answer_of(SessionPtr session) const {
  const uint64_t number = ++session->armed;
  session->timer.expires_after(limit_);
  session->timer.async_wait(
      [weak = std::weak_ptr(session), number](const boost::system::error_code& error) {
        const auto waiting = weak.lock();
        if (error || !waiting || waiting->armed != number) return;
        waiting->late = true;
        waiting->descriptor.cancel();
      });
  boost::system::error_code error;
  Result<std::string> answer;
  do {
    std::tie(error) = co_await session->descriptor.async_wait(Descriptor::wait_read,
                                                              asio::as_tuple(asio::use_awaitable));
    if (!error) answer = session->client.receive();
  } while (!error && !answer && answer.error().reason() == "not_yet");
  ++session->armed;
  session->timer.cancel();
  if (session->late)
    co_return fail(Code::timed_out, "the inference server's local door did not answer in time");
  if (error) co_return fail(Code::cancelled, "the wait was cancelled");
  co_return answer;
}

Task<Result<LocalSessions::SessionPtr>> LocalSessions::take(size_t size) {
  while (!idle_.empty()) {
    SessionPtr session = std::move(idle_.back());
    idle_.pop_back();
    if (session->memory->bytes().size() >= size) co_return session;
  }
  if (open_ >= kSessions)
    co_return fail(Code::unavailable, "local_busy", "all sessions at the local door are busy");
  CO_TRY(LocalClient client, LocalClient::connect(path_));
  const Executor executor = co_await this_executor();
  const int copy = ::fcntl(client.descriptor(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) co_return std::unexpected(errno_error(errno, "the local door's descriptor"));
  auto session = std::make_shared<Session>(std::move(client), copy, executor, open_);
  CO_TRY(SharedMemory memory, session->client.send_share(std::string(kRegion), size));
  CO_TRY_VOID(co_await answer_of(session));
  session->memory.emplace(std::move(memory));
  co_return session;
}

Task<Result<std::string>> LocalSessions::exchange(const std::string& request, const Bytes& tensor) {
  CO_TRY(SessionPtr session, co_await take(tensor.size()));
  std::memcpy(session->memory->bytes().data(), tensor.data(), tensor.size());
  CO_TRY_VOID(session->client.send_infer(request));
  Result<std::string> answer = co_await answer_of(session);
  if (answered(answer)) idle_.push_back(std::move(session));
  co_return answer;
}

Task<Result<std::string>> LocalSessions::infer(std::string model, ModelInput input,
                                               std::vector<int64_t> shape,
                                               const transform::Tensor& row) {
  const json::object message{
      {"model_name", model},
      {"inputs",
       {{{"name", input.name},
         {"datatype", input.datatype},
         {"shape", json::value_from(shape)},
         {"parameters",
          {{"shared_memory_region", kRegion}, {"shared_memory_byte_size", row.data.size()}}}}}}};
  const std::string request = json::serialize(message);
  const bool kept = !idle_.empty();
  Result<std::string> answer = co_await exchange(request, row.data);
  if (answer || !kept || answer.error().reason() != "local_door") co_return answer;
  idle_.clear();  // of a server that has gone; another one may be there
  co_return co_await exchange(request, row.data);
}

}  // namespace holdfast::answers
