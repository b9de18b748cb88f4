// Blob Batch: many deletes, or many tiers, in one request. Each part is allowed by its own
// credential and answered by itself; what the batch itself was signed with opens none of them.
#include "base/digest.h"
#include "blob/http/batch_body.h"
#include "blob/http/endpoint.h"
#include "blob/http/operations.h"
#include "net/task_group.h"

namespace holdfast::blob {
namespace {

struct Work {
  Work(BatchPart part_, Address address_) : part(std::move(part_)), address(std::move(address_)) {}
  BatchPart part;
  Address address;
  http::Response response;
};

// A part's address is written with the account, as the blob's own URL in path style, or without
// it. Where the two could both be meant, it is the one with the account.
Result<Address> part_address(const http::Request& request, const Address& batch) {
  const std::string_view path = request.path;
  const std::string prefix = "/" + batch.account + "/";
  const bool whole =
      path.starts_with(prefix) && path.substr(prefix.size()).find('/') != std::string_view::npos;
  http::Request full;
  full.path = (whole ? "" : "/" + batch.account) + request.path;
  TRY(Address address, address_of(full));
  if (address.blob.empty() || (!batch.container.empty() && address.container != batch.container))
    return fail(Code::invalid_argument, "invalid_batch",
                "a sub-request is for a blob of what the batch is for");
  return address;
}

Task<void> answer(const Call& call, Work& work) {
  work.response = co_await call.answer_part(work.part.request, work.address);
}

}  // namespace

Answer batch_blobs(Call& call) {
  if (call.request.content_length.value_or(0) > kBatchBytes)
    co_return fail(Code::too_large, "body_too_large", "a batch has at most 4 MiB");
  const std::string type(call.request.headers.get_or("Content-Type", ""));
  CO_TRY(const std::string body, co_await read_all(*call.request.body, kBatchBytes));
  CO_TRY(std::vector<BatchPart> parts, parse_batch(type, body));
  std::vector<Work> works;
  works.reserve(parts.size());
  decltype(Operation::run) all = nullptr;
  for (BatchPart& part : parts) {
    http::Request& request = part.request;
    call.endpoint->take_off(request);
    CO_TRY(Address address, part_address(request, call.address));
    CO_TRY(const Operation* operation, find_operation(request, address));
    if (operation->run != delete_blob && operation->run != set_blob_tier)
      co_return fail(Code::invalid_argument, "invalid_batch",
                     std::string(operation->name) + " is not for a batch");
    if (all != nullptr && all != operation->run)
      co_return fail(Code::invalid_argument, "mixed_batch",
                     "All sub-requests of a batch must be of one type.");
    all = operation->run;
    request.peer = call.request.peer;
    request.tls = call.request.tls;
    request.id = random_uuid();
    works.emplace_back(std::move(part), std::move(address));
  }
  // Together, so that they share the commits.
  TaskGroup group;
  const Executor here = co_await this_executor();
  for (Work& work : works) group.spawn(here, "batch part", answer(call, work));
  co_await group.join();
  const std::string boundary = "batchresponse_" + random_uuid();
  std::string text;
  for (const Work& work : works) text += batch_answer(boundary, work.part.id, work.response);
  co_return http::Response(202, "multipart/mixed; boundary=" + boundary,
                           text + "--" + boundary + "--\r\n");
}

}  // namespace holdfast::blob
