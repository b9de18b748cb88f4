// The pairs of sides that a sync knows: folder to container, container to folder, container to
// container.
#pragma once

#include <filesystem>
#include <string>

#include "net/runtime.h"
#include "transfer/copy.h"
#include "transfer/sync.h"

namespace holdfast::transfer {

// Blobs below a prefix ("" or "a/") of a container.
struct Below {
  Below(blob_client::BlobClient& client_, std::string container_, std::string prefix_)
      : client(client_), container(std::move(container_)), prefix(std::move(prefix_)) {}
  blob_client::BlobClient& client;
  std::string container, prefix;
};
struct Pace {
  uint64_t piece = kDefaultPiece;
  unsigned parallel = 4;  // pieces of one file at once
};

class FolderToContainer final : public Sides {
 public:
  FolderToContainer(std::filesystem::path root, Below to, Pace pace);
  Task<Result<void>> send(Entry entry, Moved moved) override;
  Task<Result<void>> remove(Entry entry) override;
  Task<Result<bool>> same(Step step) override;

 private:
  const std::filesystem::path root_;
  const Below to_;
  const Pace pace_;
  BlockingPool pool_;
};

// Never writes or removes outside of the folder, also where links lead there.
class ContainerToFolder final : public Sides {
 public:
  ContainerToFolder(Below from, std::filesystem::path root, Pace pace);
  Task<Result<void>> send(Entry entry, Moved moved) override;
  Task<Result<void>> remove(Entry entry) override;
  Task<Result<bool>> same(Step step) override;

 private:
  const Below from_;
  const std::filesystem::path root_;
  const Pace pace_;
  BlockingPool pool_;
};

class ContainerToContainer final : public Sides {
 public:
  // The query that lets the target's service read the source's blobs ("" : by its own right).
  using SourceUrl = std::function<std::string(const std::string& blob)>;
  ContainerToContainer(Below from, Below to, SourceUrl source_url, Pace pace);
  Task<Result<void>> send(Entry entry, Moved moved) override;
  Task<Result<void>> remove(Entry entry) override;
  Task<Result<bool>> same(Step step) override;

 private:
  const Below from_, to_;
  const SourceUrl source_url_;
  const Pace pace_;
};

}  // namespace holdfast::transfer
