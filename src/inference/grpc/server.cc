#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/resource_quota.h>
#include <pthread.h>

#include <algorithm>
#include <thread>

#include "base/cores.h"
#include "base/log.h"
#include "inference/grpc/door.h"
#include "inference/grpc/events.h"
#include "net/http/address.h"

namespace holdfast::inference {

struct GrpcServer::State {
  State(Runtime& runtime, Repository& repository, GrpcOptions options)
      : door(runtime, repository, std::move(options)) {}
  ~State();
  void serve();

  grpc_door::Door door;
  std::shared_ptr<grpc::ServerCredentials> credentials;
  std::unique_ptr<grpc::Server> server;  // before the door, which it uses, in destruction
  std::vector<std::thread> threads;
  std::string address;
};

// One thread is quicker than two, which would hand each event to the other; where there are cores
// for more, they take more connections.
void GrpcServer::State::serve() {
  const unsigned count = std::clamp(usable_cores() / 2, 1u, 16u);
  for (unsigned i = 0; i <= count; ++i) {
    expect_infer(door);
    expect_other(door);
  }
  for (unsigned i = 0; i < count; ++i) {
    threads.emplace_back([this, i] {
      pthread_setname_np(pthread_self(), ("grpc-" + std::to_string(i)).c_str());
      grpc_door::pass_events(*door.queue);
    });
  }
}

// The threads end before the server: an event that is under way when the last call has its answer
// still uses it.
GrpcServer::State::~State() {
  if (threads.empty()) return;  // it never served, and nothing is in the queue
  door.close();
  server->Shutdown();
  door.queue->Shutdown();
  for (std::thread& thread : threads) thread.join();
}

namespace {

void log_line(gpr_log_func_args* args) {
  if (args->severity == GPR_LOG_SEVERITY_ERROR)
    log::error("grpc", args->message);
  else
    log::debug("grpc", args->message);
}

}  // namespace

GrpcServer::GrpcServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
GrpcServer::~GrpcServer() = default;

std::string GrpcServer::address() const {
  return state_->address;
}

Result<std::unique_ptr<GrpcServer>> GrpcServer::start(Runtime& runtime, Repository& repository,
                                                      GrpcOptions options) {
  TRY(const http::HostPort at, http::parse_host_port(options.address));
  gpr_set_log_function(log_line);
  google::protobuf::SetLogHandler(nullptr);  // what is no message is told to its sender
  auto state = std::make_unique<State>(runtime, repository, std::move(options));
  const GrpcOptions& wanted = state->door.options;
  grpc::ServerBuilder builder;
  int port = 0;
  state->credentials = grpc_door::credentials_of(wanted);
  builder.AddListeningPort(wanted.address, state->credentials, &port);
  builder.RegisterService(&state->door.infer);
  builder.RegisterAsyncGenericService(&state->door.others);
  state->door.queue = builder.AddCompletionQueue();
  builder.SetMaxReceiveMessageSize(wanted.max_message);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // else a second server would share it
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 1024);
  grpc::ResourceQuota quota("inference");
  quota.Resize(wanted.max_memory);
  builder.SetResourceQuota(quota);
  state->server = builder.BuildAndStart();
  if (!state->server || port == 0)
    return fail(Code::conflict, "listen.grpc: " + wanted.address + " cannot be listened on" +
                                    (at.port == 0 ? "" : "; is another server there?"));
  state->address = wanted.address.substr(0, wanted.address.rfind(':') + 1) + std::to_string(port);
  state->serve();
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(state)));
}

void GrpcServer::stop(std::chrono::milliseconds grace) {
  state_->door.close();
  state_->door.stop_long_calls();
  state_->server->Shutdown(std::chrono::system_clock::now() + grace);
  state_->server->Wait();
  // Every call has answered; what is left of their tasks ends by itself.
  run_task(state_->door.group.join());
}

}  // namespace holdfast::inference
