// Every call but ModelInfer: each is a coroutine on one of the runtime's threads. For grpc/ alone.
#pragma once

#include <memory>

#include "inference/grpc/door.h"
#include "inference/grpc/events.h"

namespace holdfast::inference::grpc_door {

// A call as the coroutine that answers it sees it; one thing at a time.
class Wire : public std::enable_shared_from_this<Wire> {
 public:
  explicit Wire(Door& door);
  void expect();  // keeps itself until the call has ended

  const grpc::ServerContext& context() const { return context_; }
  Task<bool> read(grpc::ByteBuffer& into);         // false: the client has said all, or has gone
  Task<bool> write(const grpc::ByteBuffer& from);  // false: the client has gone
  bool gone() const { return gone_; }              // any thread
  void cancel() { context_.TryCancel(); }          // any thread

 private:
  void begun(bool ok);
  void ended(bool ok);
  Task<void> run(std::shared_ptr<Wire> self);

  Door& door_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  Told<Wire> begun_{*this, &Wire::begun}, ended_{*this, &Wire::ended};
  Step step_;
  std::atomic<bool> gone_{false};
  std::shared_ptr<Wire> until_begun_, until_ended_;
};

// How a path is answered: one message each way, or as the call sees fit.
struct Method {
  std::string_view path;
  // `bytes` is the request, and then the answer.
  Task<Result<void>> (*answer)(Door&, const grpc::ServerContext&, grpc::ByteBuffer& bytes);
  Task<grpc::Status> (*converse)(Door&, Wire&);
};
const Method* find_method(std::string_view path);  // null: there is none

Task<Result<void>> check_health(Door& door, const grpc::ServerContext& context,
                                grpc::ByteBuffer& bytes);
Task<grpc::Status> watch_health(Door& door, Wire& wire);
Task<grpc::Status> stream_infer(Door& door, Wire& wire);

}  // namespace holdfast::inference::grpc_door
