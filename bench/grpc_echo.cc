// The floor for a gRPC request: a bare grpc++ callback server that answers each message with the
// same bytes.
//   bench_grpc_echo [MODEL]      prints its port and serves until it is killed
// With MODEL it also makes the raw ONNX Runtime call for each request, which then finds the caches
// as any server's call does.
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <memory>

#include "raw_model.h"

namespace {

class Echo final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Echo(RawModel* model) : model_(model) { StartRead(&message_); }
  void OnReadDone(bool ok) override {
    if (ok && model_ != nullptr) model_->run();
    if (ok)
      StartWriteAndFinish(&message_, {}, grpc::Status::OK);
    else
      Finish(grpc::Status::OK);
  }
  void OnDone() override { delete this; }

 private:
  RawModel* model_;
  grpc::ByteBuffer message_;
};

class EchoService final : public grpc::CallbackGenericService {
 public:
  explicit EchoService(RawModel* model) : model_(model) {}

 private:
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override {
    return new Echo(model_);  // owned by itself, until OnDone()
  }
  RawModel* model_;
};

}  // namespace

int main(int argc, char** argv) {
  const auto model = argc > 1 ? std::make_unique<RawModel>(argv[1]) : nullptr;
  EchoService service(model.get());
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterCallbackGenericService(&service);
  const auto server = builder.BuildAndStart();
  if (!server) return 1;
  std::printf("%d\n", port);
  std::fflush(stdout);
  server->Wait();
}
