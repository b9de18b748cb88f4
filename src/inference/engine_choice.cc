#include "inference/engine_choice.h"

#include "base/log.h"

namespace holdfast::inference {

Result<std::unique_ptr<Model>> EngineChoice::load(const std::string& path) {
  auto model = preferred_->load(path);
  if (model) return model;
  TRY(Engine * engine, other());
  auto second = engine->load(path);
  if (second)
    log::info("inference", "the other engine takes this model",
              {{"preferred", std::string(preferred_->platform())},
               {"why not", model.error().message()},
               {"engine", std::string(engine->platform())}});
  return second;
}

Result<Engine*> EngineChoice::other() {
  const std::lock_guard lock(mutex_);
  if (!other_) {
    TRY(other_, open_other_());
  }
  return other_.get();
}

}  // namespace holdfast::inference
