// What is said of bytes that are no message of the call's: INVALID_ARGUMENT. By itself grpc++ says
// UNIMPLEMENTED there, in its callback API, as if there were no such call (grpc/grpc#30454); its
// other servers say INTERNAL (gRPC's statuscodes.md), as if it were the server's fault.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>

#include <functional>
#include <utility>

namespace holdfast::inference::grpc_door {

inline constexpr const char* kUnreadable = "the request's bytes are not a message of this call";

// A handler for grpc::Service::MarkMethodCallback(), which owns it.
template <class Request, class Response>
class ReadableHandler final : public grpc::internal::MethodHandler {
 public:
  using Context = grpc::CallbackServerContext;
  using Reactor = grpc::ServerUnaryReactor;
  using Call = std::function<Reactor*(Context*, const Request*, Response*)>;

  explicit ReadableHandler(Call call)
      : answers_(std::move(call)), refuses_([](Context* context, const Request*, Response*) {
          Reactor* reactor = context->DefaultReactor();
          reactor->Finish({grpc::StatusCode::INVALID_ARGUMENT, kUnreadable});
          return reactor;
        }) {}

  void* Deserialize(grpc_call* call, grpc_byte_buffer* bytes, grpc::Status* status,
                    void** messages) override {
    return answers_.Deserialize(call, bytes, status, messages);
  }
  void RunHandler(const HandlerParameter& given) override {
    if (given.status.ok()) {
      answers_.RunHandler(given);
    } else {
      refuses_.RunHandler({given.call, given.server_context, given.request, grpc::Status::OK,
                           given.internal_data, given.call_requester});
    }
  }

 private:
  grpc::internal::CallbackUnaryHandler<Request, Response> answers_, refuses_;
};

}  // namespace holdfast::inference::grpc_door
