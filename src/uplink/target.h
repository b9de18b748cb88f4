// Where the uplink sends: the few verbs of a blob account that it needs. Azure Blob behind it, or
// memory in tests.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "blob_client/blob_client.h"

namespace holdfast::uplink {

// Failures as blob_client's. Any thread; every call may be repeated with the same effect.
class BlobTarget {
 public:
  virtual ~BlobTarget() = default;
  virtual Task<Result<void>> make_container(std::string container) = 0;
  virtual Task<Result<void>> put_blob(std::string container, std::string blob,
                                      blob_client::Content content,
                                      blob_client::BlobHeaders headers) = 0;
  virtual Task<Result<void>> put_block(std::string container, std::string blob,
                                       std::string block_id, blob_client::Content content) = 0;
  virtual Task<Result<void>> put_block_list(std::string container, std::string blob,
                                            std::vector<std::string> ids,
                                            blob_client::BlobHeaders headers) = 0;
  virtual Task<Result<blob_client::BlobProperties>> properties(std::string container,
                                                               std::string blob) = 0;
};

class BlobClientTarget final : public BlobTarget {
 public:
  explicit BlobClientTarget(blob_client::BlobClient client) : client_(std::move(client)) {}
  Task<Result<void>> make_container(std::string container) override;
  Task<Result<void>> put_blob(std::string container, std::string blob, blob_client::Content content,
                              blob_client::BlobHeaders headers) override;
  Task<Result<void>> put_block(std::string container, std::string blob, std::string block_id,
                               blob_client::Content content) override;
  Task<Result<void>> put_block_list(std::string container, std::string blob,
                                    std::vector<std::string> ids,
                                    blob_client::BlobHeaders headers) override;
  Task<Result<blob_client::BlobProperties>> properties(std::string container,
                                                       std::string blob) override;

 private:
  blob_client::BlobClient client_;
};

// A complete account in memory for tests on one thread; counts what it was asked, and fails on
// demand.
class MemoryTarget final : public BlobTarget {
 public:
  struct Blob {
    std::string bytes;
    blob_client::BlobHeaders headers;
  };
  Task<Result<void>> make_container(std::string container) override;
  Task<Result<void>> put_blob(std::string container, std::string blob, blob_client::Content content,
                              blob_client::BlobHeaders headers) override;
  Task<Result<void>> put_block(std::string container, std::string blob, std::string block_id,
                               blob_client::Content content) override;
  Task<Result<void>> put_block_list(std::string container, std::string blob,
                                    std::vector<std::string> ids,
                                    blob_client::BlobHeaders headers) override;
  Task<Result<blob_client::BlobProperties>> properties(std::string container,
                                                       std::string blob) override;

  std::map<std::string, Blob> blobs;  // "container/blob"
  std::map<std::string, std::map<std::string, std::string>> blocks;
  std::set<std::string> containers;
  int calls = 0, blocks_sent = 0, commits = 0;
  int fail_after = 1 << 30;  // calls after this many fail with `error`
  Error error{Code::unavailable, "planned failure"};

 private:
  Result<void> admit();
};

}  // namespace holdfast::uplink
