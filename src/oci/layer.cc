#include "oci/layer.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/disk_space.h"
#include "base/files.h"

namespace holdfast::oci {

namespace fs = std::filesystem;

namespace {

Result<void> unless_stopped(const std::stop_token& stop) {
  if (stop.stop_requested()) return fail(Code::cancelled, "the work on an image was stopped");
  return {};
}

}  // namespace

Result<Layer> write_layer(std::vector<TarEntry> entries, const fs::path& into, int level,
                          std::stop_token stop) {
  const fs::path folder = into.parent_path();
  const fs::path passing = folder / (".layer-" + hex(as_bytes(random_bytes(8))));
  TRY(const Fd fd, open_file(passing, O_WRONLY | O_CREAT | O_EXCL));
  struct Cleanup {
    const fs::path& path;
    bool armed = true;
    ~Cleanup() {
      if (armed) ::unlink(path.c_str());
    }
  } cleanup{passing};
  // A layer can be built later: it leaves the most that can be a hub's reserve (storage.reserve),
  // for else those who are served could not even delete.
  const DiskSpace space(folder, UINT64_MAX);
  DigestHasher tar, compressed;
  uint64_t size = 0;
  const ByteSink to_file = [&](ByteView bytes) -> Result<void> {
    TRY_VOID(space.has(bytes.size()));
    compressed.update(bytes);
    size += bytes.size();
    return write_all(fd.get(), bytes);
  };
  GzipWriter gzip(to_file, level);
  const ByteSink to_gzip = [&](ByteView bytes) -> Result<void> {
    TRY_VOID(unless_stopped(stop));
    tar.update(bytes);
    return gzip.write(bytes);
  };
  TRY_VOID(write_tar(std::move(entries), to_gzip));
  TRY_VOID(gzip.finish());
  if (::fsync(fd.get()) != 0) return std::unexpected(errno_error(errno, "fsync of a layer"));
  if (::rename(passing.c_str(), into.c_str()) != 0)
    return std::unexpected(errno_error(errno, "rename to " + into.string()));
  cleanup.armed = false;
  TRY_VOID(sync_directory(folder));
  Layer layer;
  layer.descriptor.media_type = media::kLayerGzip;
  layer.descriptor.digest = compressed.finish();
  layer.descriptor.size = size;
  layer.diff_id = tar.finish();
  layer.file = into;
  return layer;
}

Result<void> read_layer(const fs::path& file, std::string_view media_type, const TarLimits& limits,
                        const TarVisitor& visit) {
  TRY(const Fd fd, open_file(file, O_RDONLY));
  const ByteReader raw = file_reader(fd.get());
  if (media_type == media::kLayer) return read_tar(raw, limits, visit);
  if (media_type == media::kLayerGzip || media_type == media::kDockerLayer)
    return read_tar(gunzip(raw), limits, visit);
  return fail(Code::unsupported,
              "layers of the type '" + std::string(media_type) + "' are not read here");
}

Result<Digest> digest_file(const fs::path& file, HashKind kind, std::stop_token stop) {
  TRY(const Fd fd, open_file(file, O_RDONLY));
  const ByteReader bytes = file_reader(fd.get());
  DigestHasher hasher(kind);
  std::vector<std::byte> piece(256 << 10);
  for (;;) {
    TRY(const size_t count, bytes(piece));
    if (count == 0) return hasher.finish();
    TRY_VOID(unless_stopped(stop));
    hasher.update(ByteView(piece.data(), count));
  }
}

}  // namespace holdfast::oci
