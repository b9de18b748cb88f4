// One Blob REST call, taken apart: whom it addresses, its conditions, headers and metadata.
#pragma once

#include <functional>
#include <string>

#include "blob/blobs.h"
#include "identity/delegation_keys.h"
#include "net/http/router.h"
#include "net/runtime.h"

namespace holdfast::blob {

// Source: path-style addressing, /ACCOUNT[/CONTAINER[/BLOB]].
struct Address {
  std::string account, container, blob;  // decoded
};
// invalid_argument "invalid_uri".
Result<Address> address_of(const http::Request& request);

struct Call;
class Endpoint;
class PendingCopies;
class Sources;
using Answer = Task<Result<http::Response>>;

struct Call {
  Call(http::Request& request_, Address address_, Blobs& blobs_)
      : request(request_), address(std::move(address_)), blobs(blobs_) {}
  http::Request& request;
  Address address;
  Blobs& blobs;
  Sources* sources = nullptr;          // of copies, elsewhere; null: none
  PendingCopies* copies = nullptr;     // from there, that go on; null: none
  const Endpoint* endpoint = nullptr;  // set by the service
  BlockingPool* hashing = nullptr;     // for large bodies; null: on the request's thread
  // What the credential says, filled in by the service.
  Pairs overrides;                                     // response headers that a SAS sets
  bool create_only = false;                            // may make a blob, but not overwrite one
  bool by_key = false;                                 // signed with the account's key
  std::shared_ptr<const identity::BlobCaller> caller;  // who sent a token; null: nobody
  // With a token: the value of a user delegation key for it, whose tenant it fills in.
  std::function<Task<Result<std::string>>(identity::DelegationKey& key)> make_delegation_key;
  // For a batch: one of its parts, with all that a request of its own would meet.
  std::function<Task<http::Response>(http::Request& part, Address address)> answer_part;
  // Whether this caller may read the blob that `source` addresses, with what stands in its query.
  std::function<Task<Result<void>>(Call& source)> may_read_source;
  BlobKey key() const { return BlobKey(address.account, address.container, address.blob); }
};

// invalid_argument "invalid_resource_name".
Result<void> check_container_name(std::string_view name);
Result<void> check_blob_name(std::string_view name);

// From If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since and the credential.
// invalid_argument "multiple_conditions", "invalid_header".
enum class Use { read, write };
Result<Conditions> conditions_of(const Call& call, Use use);
// The same of x-ms-source-if-*.
Result<Conditions> source_conditions_of(const http::Request& request);
// x-ms-tags, a query string; invalid_argument "invalid_header" and the reasons of check_tags().
Result<Pairs> tags_of(const http::Request& request);
// x-ms-access-tier, "" where absent; invalid_argument "invalid_header".
Result<std::string> tier_of(const http::Request& request);
// x-ms-rehydrate-priority; invalid_argument "invalid_header".
Result<bool> high_priority_of(const http::Request& request);
// x-ms-archive-status: "rehydrate-pending-to-hot".
std::string archive_status(const Rehydration& rehydration);
// x-ms-meta-*; invalid_argument "metadata_too_large" over 8 KiB, "invalid_metadata" on a name that
// is no C# identifier or a value that is not ASCII.
Result<Pairs> metadata_of(const http::Request& request);
// x-ms-blob-content-type and its like, with the plain header as the fallback that Put Blob allows.
// invalid_argument "invalid_header" where one is not ASCII.
Result<Pairs> blob_headers_of(const http::Request& request, bool plain_fallback);

// x-ms-range before Range; nullopt where there is none or it is not of the form bytes=N-[M].
std::optional<Range> range_of(const http::Request& request);

// x-ms-blob-public-access: "", "blob" or "container"; invalid_argument "invalid_header".
Result<std::string> public_access_of(const http::Request& request);

std::string etag_text(uint64_t etag);  // 0x and 16 upper-case digits, without quotes
// The value of `name` in the pairs, "" where absent.
std::string_view value_of(const Pairs& pairs, std::string_view name);

// A response of this status with ETag, Last-Modified and what every write answers.
http::Response written(unsigned status, const Info& info);
// x-ms-lease-status, -state and -duration.
void add_lease(http::Response& response, const Lease& lease, WallTime now);
std::string_view type_text(BlobType type);  // "BlockBlob"
void add_metadata(http::Response& response, const Pairs& metadata);

// The error in Azure's form (errors.cc): x-ms-error-code and XML; for HEAD the headers alone.
http::Response xml_error(const Error& error, const http::Request& request);

}  // namespace holdfast::blob
