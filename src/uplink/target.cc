#include "uplink/target.h"

#include "base/files.h"

namespace holdfast::uplink {

using blob_client::BlobHeaders;
using blob_client::BlobProperties;
using blob_client::Content;

Task<Result<void>> BlobClientTarget::make_container(std::string container) {
  CO_TRY_VOID(co_await client_.create_container(std::move(container)));
  co_return Result<void>();
}
Task<Result<void>> BlobClientTarget::put_blob(std::string container, std::string blob,
                                              Content content, BlobHeaders headers) {
  CO_TRY_VOID(co_await client_.put_blob(std::move(container), std::move(blob), std::move(content),
                                        std::move(headers)));
  co_return Result<void>();
}
Task<Result<void>> BlobClientTarget::put_block(std::string container, std::string blob,
                                               std::string block_id, Content content) {
  co_return co_await client_.put_block(std::move(container), std::move(blob), std::move(block_id),
                                       std::move(content));
}
Task<Result<void>> BlobClientTarget::put_block_list(std::string container, std::string blob,
                                                    std::vector<std::string> ids,
                                                    BlobHeaders headers) {
  CO_TRY_VOID(co_await client_.put_block_list(std::move(container), std::move(blob), std::move(ids),
                                              std::move(headers)));
  co_return Result<void>();
}
Task<Result<BlobProperties>> BlobClientTarget::properties(std::string container, std::string blob) {
  co_return co_await client_.properties(std::move(container), std::move(blob));
}

namespace {

Result<std::string> bytes_of(const Content& content) {
  if (const auto* text = std::get_if<std::string>(&content)) return *text;
  const auto& file = std::get<http::FileRange>(content);
  std::string out(file.size, '\0');
  TRY_VOID(read_exact(file.fd->get(), std::as_writable_bytes(std::span(out)), file.offset));
  return out;
}

}  // namespace

Result<void> MemoryTarget::admit() {
  if (++calls > fail_after) return std::unexpected(error);
  return {};
}

Task<Result<void>> MemoryTarget::make_container(std::string container) {
  CO_TRY_VOID(admit());
  containers.insert(std::move(container));
  co_return Result<void>();
}
Task<Result<void>> MemoryTarget::put_blob(std::string container, std::string blob, Content content,
                                          BlobHeaders headers) {
  CO_TRY_VOID(admit());
  if (!containers.contains(container)) co_return fail(Code::not_found, "ContainerNotFound");
  CO_TRY(std::string bytes, bytes_of(content));
  blobs[container + "/" + blob] = Blob{std::move(bytes), std::move(headers)};
  ++commits;
  co_return Result<void>();
}
Task<Result<void>> MemoryTarget::put_block(std::string container, std::string blob,
                                           std::string block_id, Content content) {
  CO_TRY_VOID(admit());
  if (!containers.contains(container)) co_return fail(Code::not_found, "ContainerNotFound");
  CO_TRY(blocks[container + "/" + blob][block_id], bytes_of(content));
  ++blocks_sent;
  co_return Result<void>();
}
Task<Result<void>> MemoryTarget::put_block_list(std::string container, std::string blob,
                                                std::vector<std::string> ids, BlobHeaders headers) {
  CO_TRY_VOID(admit());
  const std::string key = container + "/" + blob;
  std::string bytes;
  for (const std::string& id : ids) {
    const auto found = blocks[key].find(id);
    if (found == blocks[key].end()) co_return fail(Code::invalid_argument, "InvalidBlockList");
    bytes += found->second;
  }
  blobs[key] = Blob{std::move(bytes), std::move(headers)};
  blocks.erase(key);
  ++commits;
  co_return Result<void>();
}
Task<Result<BlobProperties>> MemoryTarget::properties(std::string container, std::string blob) {
  CO_TRY_VOID(admit());
  const auto found = blobs.find(container + "/" + blob);
  if (found == blobs.end()) co_return fail(Code::not_found, "BlobNotFound");
  BlobProperties out;
  out.size = found->second.bytes.size();
  out.metadata = found->second.headers.metadata;
  co_return out;
}

}  // namespace holdfast::uplink
