#include "training/model_builds.h"

#include <algorithm>

#include "base/log.h"
#include "store/objects/content_body.h"
#include "training/sql_training_sql.h"
#include "training/trigger.h"

namespace holdfast::training {
namespace {

using store::Row;
using store::Tx;

constexpr auto kRetry = std::chrono::seconds(1);
constexpr auto kIdle = std::chrono::minutes(1);
constexpr std::string_view kImage =
    "SELECT model, version, reference, manifest, layer, onnx, layer_size, pushed, error, built "
    "FROM model_image ";

BuiltImage image_of(const Row& row) {
  BuiltImage out;
  out.model = row.text(0);
  out.version = row.integer(1);
  out.reference = row.text(2);
  out.manifest = row.text(3);
  out.layer = row.text(4);
  out.onnx = row.text(5);
  out.layer_size = static_cast<uint64_t>(row.integer(6));
  out.pushed = static_cast<uint64_t>(row.integer(7));
  out.error = row.text(8);
  out.built = WallTime(std::chrono::nanoseconds(row.integer(9)));
  return out;
}

// The one ONNX model of the version: "model.onnx", else the only file that is named so.
Result<std::string> onnx_of(const std::vector<ml::ArtifactEntry>& files) {
  std::vector<std::string> found;
  for (const ml::ArtifactEntry& file : files)
    if (file.name.ends_with(".onnx")) found.push_back(file.name);
  if (const auto model = std::ranges::find(found, "model.onnx"); model != found.end())
    return *model;
  if (found.size() == 1) return found.front();
  return fail(Code::invalid_argument, found.empty()
                                          ? "it holds no .onnx file"
                                          : "it holds several .onnx files and none is model.onnx");
}

// Beside the model, as `holdfast model profile FILE` puts it.
std::string profile_beside(const std::string& onnx) {
  return onnx.substr(0, onnx.rfind('/') + 1) + "profile.json";
}

std::string tag(const ml::Pairs& tags, std::string_view key) {
  const auto found = std::ranges::find(tags, key, &std::pair<std::string, std::string>::first);
  return found == tags.end() ? "" : found->second;
}

}  // namespace

Result<std::unique_ptr<ModelBuilds>> ModelBuilds::open(store::Database& database,
                                                       ml::Models& models, ml::Artifacts& artifacts,
                                                       Publish publish, const Clock& clock) {
  const store::Migration migrations[] = {{1, k_sql_training_sql}};
  TRY_VOID(database.migrate("training", migrations));
  return std::unique_ptr<ModelBuilds>(
      new ModelBuilds(database, models, artifacts, std::move(publish), clock));
}

Task<void> ModelBuilds::run() {
  while (true) {
    const auto more = co_await build_next();
    if (!more)
      log::warning("training", "a model's image can not be built yet",
                   {{"error", more.error().message()}});
    if (more && *more) continue;
    co_await wake_.wait(more ? std::chrono::milliseconds(kIdle)
                             : std::chrono::milliseconds(kRetry));
  }
}

Task<Result<bool>> ModelBuilds::build_next() {
  auto read = [](Tx& tx) -> Result<int64_t> {
    int64_t at = 0;
    TRY_VOID(tx.each("SELECT sequence FROM build_cursor", {}, [&at](const Row& row) {
      at = row.integer(0);
      return false;
    }));
    return at;
  };
  CO_TRY(const int64_t after, co_await database_.read(std::move(read)));
  CO_TRY(const auto versions, co_await models_.versions_after(after, 1));
  if (versions.empty()) co_return false;
  const ml::ModelVersion& version = versions.front();
  auto image = co_await build(version);
  if (!image && may_pass(image.error())) co_return std::unexpected(image.error());
  if (!image) {
    BuiltImage none;
    none.error = image.error().message();
    image = std::move(none);
    log::info("training", "a model version gets no image",
              {{"model", version.model},
               {"version", std::to_string(version.number)},
               {"reason", image->error}});
  }
  image->model = version.model;
  image->version = version.number;
  image->built = clock_.now();
  CO_TRY_VOID(co_await record(std::move(*image), version.sequence));
  if (on_built_) on_built_();
  co_return true;
}

Task<Result<BuiltImage>> ModelBuilds::build(const ml::ModelVersion& version) {
  if (version.root.empty())
    co_return fail(Code::invalid_argument,
                   "its files are not in this hub's artifacts: " + version.source);
  CO_TRY(const auto files, co_await artifacts_.tree(version.root));
  CO_TRY(const std::string name, onnx_of(files));
  CO_TRY(const blob::OpenBlob model, co_await artifacts_.open_file(version.root + "/" + name));
  oci::ModelDescription description;
  description.name = version.model;
  description.version = version.number;
  description.run = version.run;
  description.data = tag(version.tags, "holdfast.data");
  description.created = format_rfc3339(WallTime(std::chrono::milliseconds(version.created_ms)));
  if (std::ranges::find(files, profile_beside(name), &ml::ArtifactEntry::name) != files.end()) {
    CO_TRY(description.profile, co_await profile_of(version.root + "/" + profile_beside(name)));
  }
  store::ContentSource bytes(model.content, 0, model.info.size);
  CO_TRY(const auto published, co_await publish_(std::move(description), bytes));
  BuiltImage out;
  out.reference = published.reference();
  out.manifest = published.manifest.str();
  out.layer = published.layer.digest.str();
  out.layer_size = published.layer.size;
  out.onnx = published.onnx.str();
  out.pushed = published.pushed;
  for (const auto& [key, value] :
       {std::pair("holdfast.image", out.reference), std::pair("holdfast.digest", out.onnx)})
    CO_TRY_VOID(co_await models_.set_version_tag(version.model, version.number, key, value));
  co_return out;
}

Task<Result<std::string>> ModelBuilds::profile_of(std::string file) {
  CO_TRY(const blob::OpenBlob profile, co_await artifacts_.open_file(file));
  if (profile.info.size > oci::kMostProfile) {
    log::warning("training", "a profile is too large for an image", {{"file", file}});
    co_return std::string();
  }
  store::ContentSource bytes(profile.content, 0, profile.info.size);
  co_return co_await read_all(bytes, oci::kMostProfile);
}

Task<Result<void>> ModelBuilds::record(BuiltImage image, int64_t sequence) {
  auto work = [image, sequence](Tx& tx) -> Result<void> {
    TRY_VOID(
        tx.run("INSERT OR REPLACE INTO model_image(model, version, reference, manifest, "
               "layer, onnx, layer_size, pushed, error, built) "
               "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
               {std::string_view(image.model), image.version, std::string_view(image.reference),
                std::string_view(image.manifest), std::string_view(image.layer),
                std::string_view(image.onnx), static_cast<int64_t>(image.layer_size),
                static_cast<int64_t>(image.pushed), std::string_view(image.error),
                image.built.time_since_epoch().count()}));
    TRY_VOID(tx.run("UPDATE build_cursor SET sequence = ?", {sequence}));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<std::optional<BuiltImage>>> ModelBuilds::find(std::string model, int64_t version) {
  auto work = [model, version](Tx& tx) -> Result<std::optional<BuiltImage>> {
    std::optional<BuiltImage> out;
    TRY_VOID(tx.each(std::string(kImage) + "WHERE model = ? AND version = ?",
                     {std::string_view(model), version}, [&out](const Row& row) {
                       out = image_of(row);
                       return false;
                     }));
    return out;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<std::vector<BuiltImage>>> ModelBuilds::by_digest(std::string digest) {
  auto work = [digest](Tx& tx) -> Result<std::vector<BuiltImage>> {
    std::vector<BuiltImage> out;
    TRY_VOID(tx.each(
        std::string(kImage) + "WHERE manifest = ?1 OR layer = ?1 OR onnx = ?1 ORDER BY built DESC",
        {std::string_view(digest)}, [&out](const Row& row) {
          out.push_back(image_of(row));
          return true;
        }));
    return out;
  };
  if (digest.empty()) co_return std::vector<BuiltImage>();
  co_return co_await database_.read(std::move(work));
}

}  // namespace holdfast::training
