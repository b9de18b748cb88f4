#include "ml/artifacts.h"

#include <algorithm>

#include "base/files.h"
#include "ml/limits.h"

namespace holdfast::ml {
namespace {

constexpr size_t kChunk = 256 << 10;

blob::BlobKey key_of(const std::string& path) {
  return {std::string(kArtifactAccount), std::string(kArtifactContainer), path};
}

std::string missing(const std::string& path) {
  return "No such artifact: '" + path + "'";
}

}  // namespace

Result<std::string> artifact_path(std::string_view path) {
  std::string out;
  for (const std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    out += (out.empty() ? "" : "/") + std::string(part);
  }
  const bool control = out.find_first_of(std::string_view("\0\n\r\\", 4)) != std::string::npos;
  if (path.starts_with('/') || out.size() > 1000 || control || !is_utf8(out) ||
      (!out.empty() && !safe_relative_path(out)))
    return fail(Code::invalid_argument, "Invalid path");
  return out;
}

Result<std::unique_ptr<Artifacts>> Artifacts::open(blob::Blobs& blobs) {
  const auto made = run_task(
      blobs.create_container(std::string(kArtifactAccount), std::string(kArtifactContainer), {}));
  if (!made && made.error().code() != Code::conflict) return std::unexpected(made.error());
  return std::unique_ptr<Artifacts>(new Artifacts(blobs));
}

Task<Result<uint64_t>> Artifacts::put(std::string path, ByteSource& source,
                                      std::optional<uint64_t> size) {
  CO_TRY(const std::string plain, artifact_path(path));
  if (plain.empty()) co_return fail(Code::invalid_argument, "Invalid path");
  CO_TRY(const auto writer, co_await blobs_.objects().create(size));
  Bytes buffer(size && *size < kChunk ? static_cast<size_t>(*size) + 1 : kChunk);
  uint64_t written = 0;
  for (;;) {
    const std::span<std::byte> room(buffer);
    CO_TRY(const size_t got, co_await source.read(room));
    if (got == 0) break;
    const ByteView bytes = room.first(got);
    CO_TRY_VOID(co_await writer->append(bytes));
    written += got;
  }
  CO_TRY(store::StagedContent staged, co_await writer->finish());
  blob::Pairs headers, metadata;
  headers.emplace_back("Content-Type", "application/octet-stream");
  const blob::Conditions conditions;
  CO_TRY_VOID(co_await blobs_.put_blob(key_of(plain), std::move(staged), std::move(headers),
                                       std::move(metadata), conditions));
  co_return written;
}

Task<Result<blob::OpenBlob>> Artifacts::open_file(std::string path) {
  CO_TRY(const std::string plain, artifact_path(path));
  const blob::Conditions conditions;
  auto found = co_await blobs_.open_blob(key_of(plain), conditions);
  if (!found && found.error().code() == Code::not_found)
    co_return fail(Code::not_found, missing(path));
  co_return found;
}

Task<Result<std::vector<ArtifactEntry>>> Artifacts::list(std::string directory) {
  CO_TRY(const std::string plain, artifact_path(directory));
  blob::ListQuery query;
  query.prefix = plain.empty() ? "" : plain + "/";
  query.delimiter = "/";
  std::vector<ArtifactEntry> out;
  do {
    CO_TRY(const blob::Page page,
           co_await blobs_.list_blobs(std::string(kArtifactAccount),
                                      std::string(kArtifactContainer), query));
    for (const std::string& prefix : page.prefixes) {
      ArtifactEntry entry;
      entry.name = prefix.substr(query.prefix.size());
      entry.name.pop_back();
      entry.directory = true;
      out.push_back(std::move(entry));
    }
    for (const blob::Info& info : page.items) {
      ArtifactEntry entry;
      entry.name = info.name.substr(query.prefix.size());
      entry.size = info.size;
      out.push_back(std::move(entry));
    }
    query.marker = page.next;
  } while (!query.marker.empty());
  std::ranges::sort(out, {}, &ArtifactEntry::name);
  co_return out;
}

Task<Result<std::vector<ArtifactEntry>>> Artifacts::tree(std::string directory) {
  CO_TRY(const std::string plain, artifact_path(directory));
  blob::ListQuery query;
  query.prefix = plain.empty() ? "" : plain + "/";
  std::vector<ArtifactEntry> out;
  do {
    CO_TRY(const blob::Page page,
           co_await blobs_.list_blobs(std::string(kArtifactAccount),
                                      std::string(kArtifactContainer), query));
    for (const blob::Info& info : page.items) {
      ArtifactEntry entry;
      entry.name = info.name.substr(query.prefix.size());
      entry.size = info.size;
      out.push_back(std::move(entry));
    }
    query.marker = page.next;
  } while (!query.marker.empty());
  co_return out;
}

Task<Result<void>> Artifacts::remove(std::string path) {
  CO_TRY(const std::string plain, artifact_path(path));
  if (plain.empty()) co_return fail(Code::invalid_argument, "Invalid path");
  const blob::Conditions conditions;
  const auto gone = co_await blobs_.delete_blob(key_of(plain), conditions);
  if (gone || gone.error().code() != Code::not_found) co_return gone;
  CO_TRY(const auto below, co_await tree(plain));
  if (below.empty()) co_return fail(Code::not_found, missing(path));
  for (const ArtifactEntry& entry : below) {
    const auto done = co_await blobs_.delete_blob(key_of(plain + "/" + entry.name), conditions);
    if (!done && done.error().code() != Code::not_found) co_return done;
  }
  co_return Result<void>();
}

}  // namespace holdfast::ml
