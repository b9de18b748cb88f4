#include "oci/registry_client.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/files.h"
#include "oci/layer.h"

namespace holdfast::oci {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kManifestLimit = 8 << 20;
constexpr unsigned kTries = 5;  // of one blob, each beginning where the last was cut
constexpr size_t kPiece = 256 << 10;

Error error_of(unsigned status, const std::string& what) {
  const std::string message = what + ": the registry answered " + std::to_string(status);
  switch (status) {
    case 401:
      return Error(Code::unauthenticated, message);
    case 403:
      return Error(Code::denied, message);
    case 404:
      return Error(Code::not_found, message);
    case 429:
      return Error(Code::unavailable, message);
    default:
      return Error(status >= 500 ? Code::unavailable : Code::invalid_argument, message);
  }
}

std::unexpected<Error> mismatch(const Digest& digest) {
  return fail(Code::unavailable, "digest_mismatch",
              "the registry gave other bytes than " + digest.str());
}

// A blob under way: its file, and the digest of what is in it.
struct Partial {
  explicit Partial(const Descriptor& blob_) : blob(blob_), hasher(blob.digest.kind()) {}
  const Descriptor& blob;
  Fd fd;
  DigestHasher hasher;
  uint64_t size = 0;

  // Takes up what an earlier call left.
  Result<void> open(const fs::path& path) {
    TRY(fd, open_file(path, O_RDWR | O_CREAT));
    const ByteReader bytes = file_reader(fd.get());
    std::vector<std::byte> piece(kPiece);
    for (;;) {
      TRY(const size_t count, bytes(piece));
      if (count == 0) break;
      hasher.update(ByteView(piece.data(), count));
      size += count;
    }
    return size > blob.size ? restart() : Result<void>();
  }
  Result<void> restart() {
    if (::ftruncate(fd.get(), 0) != 0) return std::unexpected(errno_error(errno, "truncate"));
    hasher = DigestHasher(blob.digest.kind());
    size = 0;
    return {};
  }
  Result<void> append(ByteView bytes) {
    TRY_VOID(write_all(fd.get(), bytes, static_cast<int64_t>(size)));
    hasher.update(bytes);
    size += bytes.size();
    return {};
  }
  Result<void> finish(const fs::path& from, const fs::path& into) {
    if (hasher.finish() != blob.digest) {
      ::unlink(from.c_str());
      return mismatch(blob.digest);
    }
    if (::fsync(fd.get()) != 0) return std::unexpected(errno_error(errno, "fsync of a blob"));
    if (::rename(from.c_str(), into.c_str()) != 0)
      return std::unexpected(errno_error(errno, "rename to " + into.string()));
    return sync_directory(into.parent_path());
  }
};

class HttpRegistryClient final : public RegistryClient {
 public:
  HttpRegistryClient(RegistryClientOptions options, BlockingPool& pool)
      : options_(std::move(options)), pool_(pool), client_(client_options(options_)) {
    while (options_.url.ends_with('/')) options_.url.pop_back();
  }

  Task<Result<FetchedManifest>> manifest(Reference reference) override {
    CO_TRY(http::ClientRequest request,
           request_for("/v2/" + reference.name + "/manifests/" + reference.manifest()));
    for (std::string_view type :
         {media::kManifest, media::kIndex, media::kDockerManifest, media::kDockerIndex})
      request.headers.add("Accept", std::string(type));
    request.retries = 2;
    CO_TRY(auto answer, co_await client_.fetch(std::move(request), kManifestLimit));
    if (answer.status != 200) co_return std::unexpected(error_of(answer.status, reference.str()));
    co_return checked_manifest(std::move(answer.body), answer.headers.get_or("Content-Type", ""),
                               reference.digest);
  }

  Task<Result<void>> fetch_blob(std::string name, Descriptor blob, fs::path into) override {
    auto there = [&blob, &into] {
      const auto digest = digest_file(into, blob.digest.kind());
      return digest && *digest == blob.digest;
    };
    if (co_await pool_.run(there)) co_return Result<void>();
    const fs::path passing = into.string() + ".part";
    Partial partial(blob);
    auto open = [&partial, &passing] { return partial.open(passing); };
    CO_TRY_VOID(co_await pool_.run(open));
    const std::string target = "/v2/" + name + "/blobs/" + blob.digest.str();
    for (unsigned tries = 0; partial.size < blob.size; ++tries) {
      const uint64_t before = partial.size;
      auto part = co_await fetch_part(target, partial);
      if (part) break;
      const Code code = part.error().code();
      const bool cut = code == Code::unavailable || code == Code::timed_out;
      if (!cut || partial.size == before || tries + 1 == kTries) co_return part;
    }
    if (partial.size < blob.size)
      co_return fail(Code::unavailable, "the blob " + blob.digest.str() + " ended too early");
    auto finish = [&partial, &passing, &into] { return partial.finish(passing, into); };
    co_return co_await pool_.run(finish);
  }

 private:
  static http::ClientOptions client_options(const RegistryClientOptions& options) {
    http::ClientOptions out;
    out.tls = options.tls;
    out.connections_per_host = 4;
    return out;
  }
  Result<http::ClientRequest> request_for(const std::string& target) const {
    http::ClientRequest request("GET", options_.url + target);
    if (options_.authorization) {
      TRY(std::string header, options_.authorization());
      request.headers.set("Authorization", std::move(header));
    }
    return request;
  }

  // From where `partial` stands to the end, as far as it comes.
  Task<Result<void>> fetch_part(const std::string& target, Partial& partial) {
    CO_TRY(http::ClientRequest request, request_for(target));
    if (partial.size > 0)
      request.headers.set("Range", "bytes=" + std::to_string(partial.size) + "-");
    CO_TRY(http::ClientResponse answer, co_await client_.send(std::move(request)));
    if (answer.status != 200 && answer.status != 206)
      co_return std::unexpected(error_of(answer.status, target));
    if (answer.status == 200 && partial.size > 0) {  // it does not know ranges
      auto restart = [&partial] { return partial.restart(); };
      CO_TRY_VOID(co_await pool_.run(restart));
    }
    std::vector<std::byte> piece(kPiece);
    for (;;) {
      CO_TRY(const size_t count, co_await answer.body->read(piece));
      if (count == 0) co_return Result<void>();
      if (partial.size + count > partial.blob.size) {
        auto restart = [&partial] { return partial.restart(); };
        CO_TRY_VOID(co_await pool_.run(restart));
        co_return mismatch(partial.blob.digest);
      }
      auto append = [&partial, &piece, count] {
        return partial.append(ByteView(piece.data(), count));
      };
      CO_TRY_VOID(co_await pool_.run(append));
    }
  }

  RegistryClientOptions options_;
  BlockingPool& pool_;
  http::Client client_;
};

}  // namespace

Result<FetchedManifest> checked_manifest(std::string json, std::string_view content_type,
                                         const Digest& wanted) {
  FetchedManifest fetched;
  DigestHasher hasher(wanted.kind());
  hasher.update(as_bytes(json));
  fetched.descriptor.digest = hasher.finish();
  if (!wanted.empty() && fetched.descriptor.digest != wanted) return mismatch(wanted);
  TRY(fetched.manifest, parse_manifest(json, content_type));
  fetched.descriptor.media_type = fetched.manifest.media_type;
  fetched.descriptor.size = json.size();
  fetched.json = std::move(json);
  return fetched;
}

std::unique_ptr<RegistryClient> open_registry_client(RegistryClientOptions options,
                                                     BlockingPool& pool) {
  return std::make_unique<HttpRegistryClient>(std::move(options), pool);
}

}  // namespace holdfast::oci
