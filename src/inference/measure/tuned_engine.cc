#include "inference/measure/tuned_engine.h"

#include "base/log.h"
#include "inference/onnxruntime/onnxruntime_engine.h"
#include "inference/openvino/openvino_engine.h"

namespace holdfast::inference {

Result<std::unique_ptr<Engine>> open_engine(const Tuning& tuning) {
  if (tuning.engine == "onnxruntime")
    return open_onnxruntime({.threads = tuning.threads, .device = tuning.device});
  if (tuning.engine == "openvino")
    return open_openvino({.threads = tuning.threads,
                          .precision = tuning.in_8_bits() ? "f32" : tuning.precision,
                          .device = tuning.device});
  return fail(Code::invalid_argument,
              "'" + tuning.engine + "' is not one of onnxruntime, openvino");
}

Result<Prepared> TunedEngine::prepare(const std::string& path, const std::string& digest) {
  const auto known = store_.read(digest);
  if (!known || !known->tuning) return usual_.prepare(path, digest);
  const Tuning& tuning = *known->tuning;
  auto model = load_tuned(path, digest, *known);
  if (!model) {
    log::warning("inference", "a model does not run as it was tuned",
                 {{"tuning", describe(tuning)}, {"error", model.error().message()}});
    return usual_.prepare(path, digest);
  }
  log::info("inference", "a model runs as it was tuned",
            {{"digest", digest}, {"tuning", describe(tuning)}});
  return Prepared{.model = std::move(*model), .lanes = tuning.lanes, .rows = tuning.rows};
}

Result<std::unique_ptr<Model>> TunedEngine::load_tuned(const std::string& path,
                                                       const std::string& digest,
                                                       const TuningStore::Known& known) {
  TRY(const std::string file, store_.file_for(digest, known, path));
  TRY(Engine * engine, opened(*known.tuning));
  return engine->load(file);
}

Result<Engine*> TunedEngine::opened(const Tuning& tuning) {
  const std::string key = tuning.engine + "/" + tuning.precision + "/" + tuning.device + "/" +
                          std::to_string(tuning.threads);
  const std::lock_guard lock(mutex_);
  auto& engine = engines_[key];
  if (!engine) {
    TRY(engine, open_(tuning));
  }
  return engine.get();
}

}  // namespace holdfast::inference
