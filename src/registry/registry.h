// The registry of images: repositories, blobs, manifests, tags and uploads over the database and
// the object store. The domain, without a wire format. A blob's digest is checked before it is
// there; a manifest, its tags and its hold on its blobs appear in one transaction; what was
// acknowledged is on disk. Source of the rules: OCI distribution-spec 1.1.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/byte_stream.h"
#include "oci/manifest.h"
#include "oci/reference.h"
#include "registry/upload_hashes.h"
#include "store/objects/object_store.h"

namespace holdfast::registry {

struct OpenBlob {
  uint64_t size = 0;
  std::shared_ptr<store::OpenContent> content;
};
struct StoredManifest {
  std::string json;  // byte for byte as it was pushed
  oci::Descriptor descriptor;
};
struct Tags {
  std::vector<std::string> names;
  bool fixed = false;   // conflict "tag_exists" where one of them is another manifest's
  bool latest = false;  // then "latest" is that of the tag with the highest number
};
struct Page {
  std::vector<std::string> names;
  bool more = false;
};
struct Referrers {
  std::vector<oci::Descriptor> manifests;
  std::string next;  // digest to go on after; "" at the end
};

inline constexpr uint64_t kManifestLimit = 8 << 20;
inline constexpr auto kUploadLife = std::chrono::hours(24);  // since it last grew
inline constexpr auto kBlobGrace = std::chrono::hours(1);    // a blob that no manifest needs

// Common failures: invalid_argument "name_invalid"; not_found "name_unknown"; unavailable (disk
// full); internal. Any thread may call. Repositories come with their first upload and go, when
// empty, with a sweep.
class Registry {
 public:
  // Migrates the component "registry". All three must outlive it.
  static Result<std::unique_ptr<Registry>> open(store::Database& database,
                                                store::ObjectStore& objects, const Clock& clock);

  // not_found "blob_unknown".
  Task<Result<OpenBlob>> open_blob(std::string repository, oci::Digest digest);
  // Streams it in, whether it is there already or not. invalid_argument "digest_invalid" where the
  // bytes are others; also what `bytes` fails with.
  Task<Result<void>> put_blob(std::string repository, oci::Digest digest, ByteSource& bytes);
  // Makes a blob of repository `from` ("": of any) one of `repository` too. False: it is not there.
  Task<Result<bool>> mount_blob(std::string repository, oci::Digest digest, std::string from);
  // not_found "blob_unknown"; unsupported "blob_in_use" while a manifest needs it.
  Task<Result<void>> delete_blob(std::string repository, oci::Digest digest);

  // A new session; its id is a secret of the client. All below: not_found "upload_unknown".
  Task<Result<std::string>> begin_upload(std::string repository);
  Task<Result<uint64_t>> upload_size(std::string repository, std::string id);
  // Durable when it returns the new size; a part that breaks off leaves the session as it was.
  // precondition_failed "range_invalid": `start` is not its size, or another call was faster.
  Task<Result<uint64_t>> append_upload(std::string repository, std::string id,
                                       std::optional<uint64_t> start, ByteSource& bytes);
  // Adds `rest` and makes the blob. On failure (invalid_argument "digest_invalid", as above) the
  // session stays as it was.
  Task<Result<void>> finish_upload(std::string repository, std::string id,
                                   std::optional<uint64_t> start, oci::Digest digest,
                                   ByteSource& rest);
  Task<Result<void>> cancel_upload(std::string repository, std::string id);

  // With `tags` in one transaction; the same again changes nothing. `expected` may be empty.
  // invalid_argument "manifest_invalid", "tag_invalid", "digest_invalid" (not `expected`);
  // not_found "manifest_blob_unknown" where a blob or a manifest that it names is not there.
  Task<Result<oci::Descriptor>> put_manifest(std::string repository, std::string json,
                                             std::string content_type, oci::Digest expected,
                                             Tags tags);
  // By tag or digest. not_found "manifest_unknown".
  Task<Result<StoredManifest>> resolve(std::string repository, std::string reference);
  // A digest: with every tag of it; its blobs are freed after kBlobGrace. A tag: the tag alone.
  Task<Result<void>> delete_manifest(std::string repository, std::string reference);

  // Sorted by bytes, at most `limit` after `last`.
  Task<Result<Page>> tags(std::string repository, size_t limit, std::string last);
  Task<Result<Page>> repositories(size_t limit, std::string last);  // those that hold a manifest
  // Manifests whose subject this is, of one artifact type where it is not "".
  Task<Result<Referrers>> referrers(std::string repository, oci::Digest subject,
                                    std::string artifact_type, std::string last);

  // Frees what uploads left, blobs that nothing needs, and empty repositories. Run from time to
  // time, before the sweep of the objects.
  Task<Result<void>> sweep();

 private:
  Registry(store::Database& database, store::ObjectStore& objects, const Clock& clock)
      : database_(database), objects_(objects), clock_(clock) {}

  store::Database& database_;
  store::ObjectStore& objects_;
  const Clock& clock_;
  UploadHashes hashes_;
};

}  // namespace holdfast::registry
