// grpc.health.v1: the server as a whole and its one service, which serve when every model does.
#include "health.grpc.pb.h"
#include "inference/grpc/door.h"
#include "inference/grpc/readable.h"

namespace holdfast::inference::grpc_door {
namespace {

namespace health = ::grpc::health::v1;
using Status = health::HealthCheckResponse;

constexpr auto kLook = std::chrono::milliseconds(200);  // how often a watched state is looked at

bool known(const std::string& service) {
  return service.empty() || service == "inference.GRPCInferenceService";
}

Status::ServingStatus state_of(const Door& door) {
  return door.repository.ready() && !door.stopping ? Status::SERVING : Status::NOT_SERVING;
}

// Writes the state now and whenever it changes.
class Watcher final : public grpc::ServerWriteReactor<Status> {
 public:
  Watcher(Door& door, std::string service) : door_(door), known_(known(service)) {
    door_.group.spawn(door_.runtime.next_executor(), "grpc health", run());
  }
  void OnWriteDone(bool ok) override {
    if (!ok) gone_ = true;
    writing_ = false;
  }
  void OnCancel() override { gone_ = true; }
  void OnDone() override { delete this; }

 private:
  Task<void> run() {
    int told = -1;
    while (writing_ || (!gone_ && !door_.stopping)) {
      const auto state = known_ ? state_of(door_) : Status::SERVICE_UNKNOWN;
      if (!writing_ && told != state) {
        told = state;
        response_.set_status(state);
        writing_ = true;
        StartWrite(&response_);
      }
      co_await sleep_for(kLook);
    }
    Finish({grpc::StatusCode::UNAVAILABLE, "the server stops"});  // `this` may be gone after it
  }

  Door& door_;
  const bool known_;
  std::atomic<bool> writing_{false}, gone_{false};
  Status response_;
};

class HealthService final : public health::Health::CallbackService {
 public:
  explicit HealthService(Door& door) : door_(door) {
    MarkMethodCallback(0, new ReadableHandler<health::HealthCheckRequest, Status>(
                              [this](grpc::CallbackServerContext* context,
                                     const health::HealthCheckRequest* request, Status* response) {
                                return Check(context, request, response);
                              }));
  }
  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context,
                                  const health::HealthCheckRequest* request,
                                  Status* response) override {
    if (!known(request->service()))
      return answer(context,
                    fail(Code::not_found, "there is no service '" + request->service() + "'"));
    response->set_status(state_of(door_));
    return answer(context, {});
  }
  grpc::ServerWriteReactor<Status>* Watch(grpc::CallbackServerContext*,
                                          const health::HealthCheckRequest* request) override {
    return new Watcher(door_, request->service());  // owned by itself, until OnDone()
  }

 private:
  Door& door_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_health_service(Door& door) {
  return std::make_unique<HealthService>(door);
}

}  // namespace holdfast::inference::grpc_door
