#include "blob_client/blob_client.h"

#include "base/digest.h"
#include "blob_client/answers.h"
#include "identity/shared_key.h"
#include "net/http/address.h"

namespace holdfast::blob_client {
namespace {

constexpr std::string_view kVersion = "2021-12-02";
constexpr uint64_t kAnswer = 64 << 20;  // the largest list that a service answers is far below
constexpr uint64_t kErrorBody = 64 << 10;
constexpr std::string_view kDefaultType = "application/octet-stream";

void add(http::Headers& headers, std::string_view name, std::string value) {
  if (!value.empty()) headers.set(name, std::move(value));
}

void add_blob_headers(http::Headers& headers, const BlobHeaders& from) {
  headers.set("x-ms-blob-content-type",
              from.content_type.empty() ? std::string(kDefaultType) : from.content_type);
  add(headers, "x-ms-blob-content-md5", from.content_md5);
  add(headers, "If-None-Match", from.if_none_match);
  for (const auto& [name, value] : from.metadata) headers.set("x-ms-meta-" + name, value);
}

Result<void> check_block_id(const std::string& id) {
  const auto raw = from_base64(id);
  if (!raw || raw->empty() || raw->size() > 64)
    return fail(Code::invalid_argument,
                "a block's id is 1 to 64 bytes in base64, not '" + id + "'");
  return {};
}

}  // namespace

struct BlobClient::Call {
  Call(std::string method_, const std::string& container, const std::string& blob = "")
      : method(std::move(method_)) {
    if (!container.empty()) path = "/" + percent_encode(container);
    if (!blob.empty()) path += "/" + percent_encode(blob, "/");
  }
  std::string method, path;  // below the account, encoded
  std::vector<std::pair<std::string, std::string>> query;
  http::Headers headers;
  Content content;
};

Result<BlobClient> BlobClient::open(http::Client& http, const Clock& clock, Endpoint endpoint,
                                    Options options) {
  TRY(http::Url url, http::parse_url(endpoint.url));
  BlobClient client(http, clock);
  while (url.target.ends_with('/')) url.target.pop_back();
  if (url.target.find('?') != std::string::npos)
    return fail(Code::invalid_argument, endpoint.url + ": an endpoint has no query");
  client.origin_ = (url.tls ? "https://" : "http://") + url.authority;
  client.path_ = url.target;
  client.account_ = std::move(endpoint.account);
  client.options_ = options;
  if (endpoint.key.empty() && endpoint.sas.empty() && !endpoint.anonymous)
    return fail(Code::invalid_argument,
                "the storage account '" + client.account_ + "' has neither a key nor a signature");
  auto key = from_base64(trim(endpoint.key));
  if (!key)  // its own message might show the key
    return fail(Code::invalid_argument,
                "the key of the storage account '" + client.account_ + "' is not base64");
  client.key_ = std::move(*key);
  client.sas_ = std::move(endpoint.sas);
  return client;
}

Result<http::ClientRequest> BlobClient::prepare(Call call) const {
  const std::string path = path_ + call.path;
  std::string url = origin_ + (path.empty() ? "/" : path);
  char separator = '?';
  for (const auto& [name, value] : call.query) {
    url += separator + name + "=" + percent_encode(value);
    separator = '&';
  }
  http::Request to_sign;  // what the service will see
  to_sign.method = call.method;
  to_sign.path = path.empty() ? "/" : path;
  to_sign.query = std::move(call.query);
  to_sign.headers = std::move(call.headers);
  to_sign.headers.set("x-ms-version", std::string(kVersion));
  auto* file = std::get_if<http::FileRange>(&call.content);
  to_sign.content_length =
      file != nullptr ? file->size : std::get<std::string>(call.content).size();
  if (key_.empty()) {
    if (!sas_.empty()) url += separator + sas_;
  } else {
    to_sign.headers.set("x-ms-date", format_http_date(clock_->now()));
    to_sign.headers.set("Authorization", identity::shared_key_header(to_sign, account_, key_));
  }
  http::ClientRequest request(std::move(call.method), std::move(url));
  // Repeated after a lost answer, a conditional write would meet its own work.
  if (!to_sign.headers.get("If-None-Match")) request.retries = options_.retries;
  request.headers = std::move(to_sign.headers);
  if (file != nullptr)
    request.file = std::move(*file);
  else
    request.body = std::move(std::get<std::string>(call.content));
  request.timeout = options_.timeout;
  return request;
}

Task<Result<http::Client::Whole>> BlobClient::fetch(Call call) const {
  CO_TRY(http::ClientRequest request, prepare(std::move(call)));
  CO_TRY(http::Client::Whole whole, co_await http_->fetch(std::move(request), kAnswer));
  if (whole.status >= 300)
    co_return std::unexpected(error_of(whole.status, whole.headers, whole.body));
  co_return whole;
}

Task<Result<bool>> BlobClient::create_container(std::string container) {
  Call call("PUT", container);
  call.query = {{"restype", "container"}};
  const auto done = co_await fetch(std::move(call));
  if (!done && done.error().reason() == "container_exists") co_return false;
  if (!done) co_return std::unexpected(done.error());
  co_return true;
}

Task<Result<void>> BlobClient::delete_container(std::string container) {
  Call call("DELETE", container);
  call.query = {{"restype", "container"}};
  CO_TRY_VOID(co_await fetch(std::move(call)));
  co_return Result<void>();
}

Task<Result<ContainerPage>> BlobClient::list_containers(std::string prefix, std::string marker) {
  Call call("GET", "");
  call.query = {{"comp", "list"}};
  if (!prefix.empty()) call.query.emplace_back("prefix", std::move(prefix));
  if (!marker.empty()) call.query.emplace_back("marker", std::move(marker));
  CO_TRY(const auto whole, co_await fetch(std::move(call)));
  co_return container_page_of(whole.body);
}

Task<Result<Written>> BlobClient::put_blob(std::string container, std::string blob, Content content,
                                           BlobHeaders headers) {
  Call call("PUT", container, blob);
  call.headers.set("x-ms-blob-type", "BlockBlob");
  add_blob_headers(call.headers, headers);
  call.content = std::move(content);
  CO_TRY(const auto whole, co_await fetch(std::move(call)));
  co_return written_of(whole.headers);
}

Task<Result<void>> BlobClient::put_block(std::string container, std::string blob,
                                         std::string block_id, Content content,
                                         std::string content_md5) {
  CO_TRY_VOID(check_block_id(block_id));
  Call call("PUT", container, blob);
  call.query = {{"comp", "block"}, {"blockid", std::move(block_id)}};
  add(call.headers, "Content-MD5", std::move(content_md5));
  call.content = std::move(content);
  CO_TRY_VOID(co_await fetch(std::move(call)));
  co_return Result<void>();
}

Task<Result<Written>> BlobClient::put_block_list(std::string container, std::string blob,
                                                 std::vector<std::string> block_ids,
                                                 BlobHeaders headers) {
  for (const std::string& id : block_ids) CO_TRY_VOID(check_block_id(id));
  Call call("PUT", container, blob);
  call.query = {{"comp", "blocklist"}};
  add_blob_headers(call.headers, headers);
  std::string body = block_list_body(block_ids);
  call.headers.set("Content-Type", "application/xml");
  call.headers.set("Content-MD5", base64(as_bytes(hash(HashKind::md5, as_bytes(body)))));
  call.content = std::move(body);
  CO_TRY(const auto whole, co_await fetch(std::move(call)));
  co_return written_of(whole.headers);
}

Task<Result<BlockList>> BlobClient::get_block_list(std::string container, std::string blob,
                                                   Blocks which) {
  Call call("GET", container, blob);
  call.query = {{"comp", "blocklist"},
                {"blocklisttype", which == Blocks::all ? "all" : "uncommitted"}};
  CO_TRY(const auto whole, co_await fetch(std::move(call)));
  co_return block_list_of(whole.body);
}

Task<Result<BlobProperties>> BlobClient::properties(std::string container, std::string blob) {
  Call call("HEAD", container, blob);
  CO_TRY(const auto whole, co_await fetch(std::move(call)));
  co_return properties_of(whole.headers);
}

Task<Result<http::ClientResponse>> BlobClient::get(std::string container, std::string blob,
                                                   ByteRange range, std::string if_match) {
  Call call("GET", container, blob);
  if (!if_match.empty()) call.headers.set("If-Match", "\"" + if_match + "\"");
  if (range.size && *range.size == 0)
    co_return fail(Code::invalid_argument, "invalid_range", "a range of no bytes can't be read");
  if (range.offset != 0 || range.size) {
    const std::string last = range.size ? std::to_string(range.offset + *range.size - 1) : "";
    call.headers.set("x-ms-range", "bytes=" + std::to_string(range.offset) + "-" + last);
  }
  CO_TRY(http::ClientRequest request, prepare(std::move(call)));
  CO_TRY(http::ClientResponse response, co_await http_->send(std::move(request)));
  if (response.status < 300) co_return response;
  CO_TRY(const std::string body, co_await read_all(*response.body, kErrorBody));
  co_return std::unexpected(error_of(response.status, response.headers, body));
}

std::string BlobClient::url_of(const std::string& container, const std::string& blob) const {
  return origin_ + path_ + Call("GET", container, blob).path;
}

Task<Result<std::string>> BlobClient::start_copy(std::string container, std::string blob,
                                                 std::string url) {
  Call call("PUT", container, blob);
  call.headers.set("x-ms-copy-source", std::move(url));
  CO_TRY(const auto whole, co_await fetch(std::move(call)));
  co_return std::string(whole.headers.get_or("x-ms-copy-status", "success"));
}

Task<Result<void>> BlobClient::delete_blob(std::string container, std::string blob) {
  Call call("DELETE", container, blob);
  CO_TRY_VOID(co_await fetch(std::move(call)));
  co_return Result<void>();
}

Task<Result<BlobPage>> BlobClient::list_blobs(std::string container, ListOptions options) {
  Call call("GET", container);
  call.query = {
      {"restype", "container"}, {"comp", "list"}, {"maxresults", std::to_string(options.max)}};
  if (!options.prefix.empty()) call.query.emplace_back("prefix", std::move(options.prefix));
  if (!options.delimiter.empty())
    call.query.emplace_back("delimiter", std::move(options.delimiter));
  if (!options.marker.empty()) call.query.emplace_back("marker", std::move(options.marker));
  CO_TRY(const auto whole, co_await fetch(std::move(call)));
  co_return blob_page_of(whole.body);
}

}  // namespace holdfast::blob_client
