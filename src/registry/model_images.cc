#include "registry/model_images.h"

#include <fcntl.h>
#include <sys/resource.h>

#include "base/digest.h"
#include "base/files.h"
#include "net/file_source.h"

namespace holdfast::registry {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kModelLimit = 16ull << 30;
constexpr int kNice = 10;  // a tenth of a core that others want; and all that nobody does

// A folder of one build; goes with it.
struct Building {
  explicit Building(fs::path path_) : path(std::move(path_)) {}
  Building(const Building&) = delete;
  Building& operator=(const Building&) = delete;
  ~Building() {
    std::error_code error;
    fs::remove_all(path, error);
  }
  fs::path path;
};

Task<Result<void>> spool(ByteSource& bytes, const Fd& fd, BlockingPool& pool) {
  std::vector<std::byte> piece(256 << 10);
  for (uint64_t size = 0;;) {
    CO_TRY(const size_t count, co_await bytes.read(piece));
    if (count == 0) co_return Result<void>();
    if ((size += count) > kModelLimit)
      co_return fail(Code::too_large, "the model is larger than " + format_size(kModelLimit));
    auto write = [&fd, &piece, count] {
      return write_all(fd.get(), ByteView(piece.data(), count));
    };
    CO_TRY_VOID(co_await pool.run(std::move(write)));
  }
}

}  // namespace

ModelImages::ModelImages(ModelImagesOptions options, Registry& registry)
    : options_(std::move(options)), registry_(registry), pool_("images", 1) {
  // To pack the runtime takes a core for seconds, which those who are served need more. It is the
  // thread's own, and can not be taken back without rights: so it is not the lowest.
  pool_.submit([] { (void)::setpriority(PRIO_PROCESS, 0, kNice); });
}

Result<std::unique_ptr<ModelImages>> ModelImages::open(ModelImagesOptions options,
                                                       Registry& registry) {
  std::error_code error;
  fs::remove_all(options.directory + "/building", error);
  TRY_VOID(make_directories(options.directory + "/building", 0750));
  return std::unique_ptr<ModelImages>(new ModelImages(std::move(options), registry));
}

Task<Result<oci::RuntimeLayer>> ModelImages::runtime() {
  auto work = [this]() -> Result<oci::RuntimeLayer> {
    std::error_code error;
    if (runtime_ && fs::exists(runtime_->layer.file, error)) return *runtime_;
    oci::RuntimeParts parts;
    parts.program = options_.program;
    parts.onnxruntime = options_.onnxruntime;
    parts.cache = options_.directory + "/runtime";
    TRY(runtime_, oci::make_runtime_layer(parts, stop_.get_token()));
    return *runtime_;
  };
  co_return co_await pool_.run(std::move(work));
}

Task<Result<void>> ModelImages::prepare() {
  CO_TRY_VOID(co_await runtime());
  co_return Result<void>();
}

// The image that this version has already; nullopt where there is none.
Task<Result<std::optional<PublishedImage>>> ModelImages::there(
    const oci::ModelDescription& description, const fs::path& onnx) {
  PublishedImage image;
  image.repository = oci::model_repository(description.name);
  const auto stored =
      co_await registry_.resolve(image.repository, std::to_string(description.version));
  if (!stored && stored.error().code() == Code::not_found)
    co_return std::optional<PublishedImage>();
  if (!stored) co_return std::unexpected(stored.error());
  CO_TRY(const oci::Manifest manifest, oci::parse_manifest(stored->json, ""));
  auto digest = [this, &onnx] {
    return oci::digest_file(onnx, HashKind::sha256, stop_.get_token());
  };
  CO_TRY(image.onnx, co_await pool_.run(std::move(digest)));
  image.manifest = stored->descriptor.digest;
  bool same = false, same_profile = description.profile.empty();  // not given: any is right
  const std::string profile = oci::Digest::sha256(as_bytes(description.profile)).str();
  const auto marked = [](const oci::Descriptor& layer, const char* mark, const std::string& as) {
    const auto found = layer.annotations.find(mark);
    return found != layer.annotations.end() && found->second == as;
  };
  for (const oci::Descriptor& layer : manifest.layers) {
    if (marked(layer, oci::label::kDigest, image.onnx.str())) {
      image.layer = layer;
      same = true;
    }
    same_profile = same_profile || marked(layer, oci::label::kProfile, profile);
  }
  if (same && same_profile) co_return image;
  co_return fail(Code::conflict, "version_exists",
                 "version " + std::to_string(description.version) + " of '" + description.name +
                     "' has an image of other bytes; versions do not change");
}

// Bytes that moved: none where the registry has them.
Task<Result<uint64_t>> ModelImages::push(const std::string& repository, const oci::Layer& layer) {
  CO_TRY(const bool there,
         co_await registry_.mount_blob(repository, layer.descriptor.digest, std::string()));
  if (there) co_return uint64_t{0};
  CO_TRY(Fd fd, open_file(layer.file, O_RDONLY));
  FileSource bytes(std::move(fd), pool_);
  CO_TRY_VOID(co_await registry_.put_blob(repository, layer.descriptor.digest, bytes));
  co_return layer.descriptor.size;
}

Task<Result<PublishedImage>> ModelImages::publish(oci::ModelDescription description,
                                                  ByteSource& onnx) {
  const Building building(options_.directory + "/building/" + hex(as_bytes(random_bytes(8))));
  CO_TRY_VOID(make_directories(building.path, 0750));
  const fs::path file = building.path / "model.onnx", into = building.path / "layer";
  {
    CO_TRY(const Fd fd, open_file(file, O_WRONLY | O_CREAT | O_EXCL, 0640));
    CO_TRY_VOID(co_await spool(onnx, fd, pool_));
  }
  CO_TRY(auto found, co_await there(description, file));
  if (found) co_return std::move(*found);
  CO_TRY(const oci::RuntimeLayer base, co_await runtime());
  auto build = [this, &description, &file, &base, &into] {
    return oci::build_model_image(description, file, base, into, stop_.get_token());
  };
  CO_TRY(const oci::ModelImage image, co_await pool_.run(std::move(build)));
  PublishedImage published;
  published.repository = oci::model_repository(description.name);
  published.manifest = image.manifest_descriptor.digest;
  published.layer = image.model.descriptor;
  published.onnx = image.onnx;
  const oci::Layer* profile = image.profile ? &*image.profile : nullptr;
  for (const oci::Layer* layer : {&image.runtime, &image.model, profile}) {
    if (layer == nullptr) continue;
    CO_TRY(const uint64_t moved, co_await push(published.repository, *layer));
    published.pushed += moved;
  }
  MemorySource config(image.config);
  CO_TRY_VOID(
      co_await registry_.put_blob(published.repository, image.config_descriptor.digest, config));
  Tags tags;
  tags.names = {std::to_string(description.version)};
  tags.fixed = tags.latest = true;
  CO_TRY_VOID(co_await registry_.put_manifest(published.repository, image.manifest,
                                              std::string(oci::media::kManifest),
                                              published.manifest, std::move(tags)));
  co_return published;
}

}  // namespace holdfast::registry
