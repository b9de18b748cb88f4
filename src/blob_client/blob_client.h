// A client of Azure Blob REST: the uplink and the CLI reach a hub, or Azure itself, with it.
//
// Errors carry the code and text of the service in their message. Codes: not_found
// (container_not_found, blob_not_found), conflict (blob_exists …), precondition_failed, denied,
// unauthenticated, invalid_argument, too_large, unsupported, unavailable (not connected, busy),
// timed_out, internal (an answer that is not understood).
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/clock.h"
#include "blob_client/blob_types.h"
#include "net/http/client.h"

namespace holdfast::blob_client {

struct Endpoint {
  std::string url;         // "http://127.0.0.1:10000/site1", with or without a last '/'
  std::string account;     // "site1"
  std::string key;         // base64; empty with a sas
  std::string sas;         // a query string without '?'
  bool anonymous = false;  // neither: what is public
};
struct Options {
  std::chrono::milliseconds timeout{30000};  // one attempt, to the head of the answer
  unsigned retries = 0;                      // of what may be repeated; never a conditional write
};

// Any thread may call; each call runs on its caller's executor and holds one pooled connection. It,
// the http client and the clock must outlive the calls.
class BlobClient {
 public:
  // invalid_argument: the URL, or a key that is not base64, or neither key nor sas.
  static Result<BlobClient> open(http::Client& http, const Clock& clock, Endpoint endpoint,
                                 Options options = {});

  // true: made; false: was there.
  Task<Result<bool>> create_container(std::string container);
  Task<Result<void>> delete_container(std::string container);
  Task<Result<ContainerPage>> list_containers(std::string prefix, std::string marker);

  Task<Result<Written>> put_blob(std::string container, std::string blob, Content content,
                                 BlobHeaders headers);
  // `content_md5`: base64 of the block's MD5, checked by the service; may be empty.
  Task<Result<void>> put_block(std::string container, std::string blob, std::string block_id,
                               Content content, std::string content_md5 = "");
  // Commits the latest of each id, in this order.
  Task<Result<Written>> put_block_list(std::string container, std::string blob,
                                       std::vector<std::string> block_ids, BlobHeaders headers);
  Task<Result<BlockList>> get_block_list(std::string container, std::string blob, Blocks which);

  Task<Result<BlobProperties>> properties(std::string container, std::string blob);
  // Status 200 or 206; the body streams and must be read to its end.
  // `if_match`: an ETag as the types hold it; precondition_failed where the blob is another by now.
  Task<Result<http::ClientResponse>> get(std::string container, std::string blob, ByteRange range,
                                         std::string if_match = "");
  // Has the service copy from a URL that it may read. The status: "success", or "pending" while
  // properties() tells how it goes on. denied (copy_source) where it will not read from there.
  Task<Result<std::string>> start_copy(std::string container, std::string blob, std::string url);
  Task<Result<void>> delete_blob(std::string container, std::string blob);
  Task<Result<BlobPage>> list_blobs(std::string container, ListOptions options);

  // Where a blob lies, without a signature.
  std::string url_of(const std::string& container, const std::string& blob) const;

 private:
  BlobClient(http::Client& http, const Clock& clock) : http_(&http), clock_(&clock) {}
  struct Call;
  Result<http::ClientRequest> prepare(Call call) const;
  Task<Result<http::Client::Whole>> fetch(Call call) const;

  http::Client* http_;
  const Clock* clock_;
  Options options_;
  std::string origin_, path_;  // "http://127.0.0.1:10000", "/site1"
  std::string account_, key_, sas_;
};

}  // namespace holdfast::blob_client
