#include "oci/image_layout.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/files.h"
#include "oci/json_fields.h"
#include "oci/layer.h"

namespace holdfast::oci {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMarker = R"({"imageLayoutVersion":"1.0.0"})";
constexpr const char* kTagName = "org.opencontainers.image.ref.name";

}  // namespace

Result<ImageLayout> ImageLayout::create(fs::path directory) {
  TRY_VOID(make_directories(directory / "blobs" / "sha256"));
  if (auto there = open(directory); there || there.error().code() != Code::not_found) return there;
  TRY_VOID(replace_file(directory / "index.json", as_bytes(write_descriptors({}))));
  TRY_VOID(replace_file(directory / "oci-layout", as_bytes(kMarker)));
  return ImageLayout(std::move(directory));
}

Result<ImageLayout> ImageLayout::open(fs::path directory) {
  TRY(const std::string marker, read_file(directory / "oci-layout", 4096));
  TRY(const json::value value, parse_json(marker));
  TRY(const std::string version, Fields(value, "").text("imageLayoutVersion"));
  if (version != "1.0.0")
    return fail(Code::unsupported, directory.string() + " is an image layout of version " +
                                       version + "; 1.0.0 is read here");
  return ImageLayout(std::move(directory));
}

fs::path ImageLayout::path_of(const Digest& digest) const {
  return directory_ / "blobs" / (digest.kind() == HashKind::sha512 ? "sha512" : "sha256") /
         digest.hex();
}

Result<Descriptor> ImageLayout::put_blob(ByteView bytes, std::string media_type) {
  Descriptor descriptor;
  descriptor.media_type = std::move(media_type);
  descriptor.digest = Digest::sha256(bytes);
  descriptor.size = bytes.size();
  const fs::path path = path_of(descriptor.digest);
  if (!fs::exists(path)) TRY_VOID(replace_file(path, bytes));
  return descriptor;
}

Result<void> ImageLayout::put_file(const fs::path& file, const Digest& digest) {
  const fs::path path = path_of(digest);
  if (fs::exists(path)) return {};
  TRY_VOID(make_directories(path.parent_path()));
  const fs::path passing = path.parent_path() / ("." + hex(as_bytes(random_bytes(8))));
  TRY(const Fd from, open_file(file, O_RDONLY));
  TRY(const Fd into, open_file(passing, O_WRONLY | O_CREAT | O_EXCL));
  const auto copy = [&]() -> Result<void> {
    const ByteReader bytes = file_reader(from.get());
    DigestHasher hasher(digest.kind());
    std::vector<std::byte> piece(256 << 10);
    for (;;) {
      TRY(const size_t count, bytes(piece));
      if (count == 0) break;
      hasher.update(ByteView(piece.data(), count));
      TRY_VOID(write_all(into.get(), ByteView(piece.data(), count)));
    }
    if (hasher.finish() != digest)
      return fail(Code::invalid_argument, "digest_invalid",
                  file.string() + " is not " + digest.str());
    if (::fsync(into.get()) != 0) return std::unexpected(errno_error(errno, "fsync of a blob"));
    if (::rename(passing.c_str(), path.c_str()) != 0)
      return std::unexpected(errno_error(errno, "rename to " + path.string()));
    return sync_directory(path.parent_path());
  };
  auto copied = copy();
  if (!copied) ::unlink(passing.c_str());
  return copied;
}

Result<Descriptor> ImageLayout::put_manifest(std::string_view text, std::string media_type,
                                             const std::string& tag) {
  TRY(Descriptor descriptor, put_blob(as_bytes(text), std::move(media_type)));
  descriptor.annotations[kTagName] = tag;
  TRY(Manifest all, index());
  std::erase_if(all.manifests, [&](const Descriptor& one) {
    const auto name = one.annotations.find(kTagName);
    return name != one.annotations.end() && name->second == tag;
  });
  all.manifests.push_back(descriptor);
  TRY_VOID(replace_file(directory_ / "index.json", as_bytes(write_manifest(all))));
  return descriptor;
}

Result<Manifest> ImageLayout::index() const {
  TRY(const std::string text, read_file(directory_ / "index.json", 16 << 20));
  return parse_manifest(text, "");
}

Result<Descriptor> ImageLayout::resolve(std::string_view tag) const {
  TRY(const Manifest all, index());
  for (const Descriptor& one : all.manifests) {
    const auto name = one.annotations.find(kTagName);
    if (name != one.annotations.end() && name->second == tag) return one;
  }
  return fail(Code::not_found, directory_.string() + " has no image '" + std::string(tag) + "'");
}

Result<std::string> ImageLayout::blob(const Digest& digest, uint64_t limit) const {
  TRY(std::string bytes, read_file(path_of(digest), limit));
  DigestHasher hasher(digest.kind());
  hasher.update(as_bytes(bytes));
  if (hasher.finish() != digest)
    return fail(Code::invalid_argument, "digest_invalid",
                "the bytes of " + digest.str() + " are others");
  return bytes;
}

}  // namespace holdfast::oci
