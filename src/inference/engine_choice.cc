#include "inference/engine_choice.h"

#include "base/log.h"

namespace holdfast::inference {

EngineChoice::EngineChoice(std::vector<Offer> offers) {
  for (Offer& offer : offers) entries_.push_back({.offer = std::move(offer), .engine = nullptr});
}

Result<void> EngineChoice::open() {
  TRY_VOID(opened(entries_.front()));
  return {};
}

Result<std::unique_ptr<Model>> EngineChoice::load(const std::string& path) {
  Error refused(Code::unsupported, "there is no engine");
  for (Entry& entry : entries_) {
    TRY(Engine * engine, opened(entry));
    auto model = engine->load(path);
    if (model && &entry != &entries_.front())
      log::info("inference", "not the preferred engine takes this model",
                {{"preferred", std::string(platform())},
                 {"why not", refused.message()},
                 {"engine", entry.offer.platform}});
    if (model) return model;
    refused = std::move(model).error();
  }
  return std::unexpected(std::move(refused));
}

Result<Engine*> EngineChoice::opened(Entry& entry) {
  const std::lock_guard lock(mutex_);
  if (!entry.engine) {
    TRY(entry.engine, entry.offer.open());
  }
  return entry.engine.get();
}

}  // namespace holdfast::inference
