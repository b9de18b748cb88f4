// grpc.health.v1: the server as a whole and its one service, which serve when every model does.
#include "health.pb.h"
#include "inference/grpc/wire.h"

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

void write_state(Status::ServingStatus state, grpc::ByteBuffer& bytes) {
  Status response;
  response.set_status(state);
  write(response, bytes);
}

}  // namespace

Task<Result<void>> check_health(Door& door, const grpc::ServerContext&, grpc::ByteBuffer& bytes) {
  health::HealthCheckRequest request;
  CO_TRY_VOID(read(bytes, request));
  if (!known(request.service()))
    co_return fail(Code::not_found, "there is no service '" + request.service() + "'");
  write_state(state_of(door), bytes);
  co_return Result<void>();
}

// Writes the state now and whenever it changes.
Task<grpc::Status> watch_health(Door& door, Wire& wire) {
  grpc::ByteBuffer bytes;
  health::HealthCheckRequest request;
  if (!co_await wire.read(bytes)) co_return grpc::Status::OK;
  if (const auto good = read(bytes, request); !good) co_return to_status(good.error());
  const bool is_known = known(request.service());
  for (int told = -1; !wire.gone() && !door.stopping;) {
    const auto state = is_known ? state_of(door) : Status::SERVICE_UNKNOWN;
    if (told != state) {
      told = state;
      write_state(state, bytes);
      if (!co_await wire.write(bytes)) break;
    }
    co_await sleep_for(kLook);
  }
  co_return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server stops");
}

}  // namespace holdfast::inference::grpc_door
