// Several engines as one: a model is loaded by the first that takes it. Each is opened when it is
// first needed, so that a library that no model needs takes no memory.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "inference/engine.h"

namespace holdfast::inference {

class EngineChoice final : public Engine {
 public:
  struct Offer {
    std::string platform;  // what the opened engine's platform() says
    std::function<Result<std::unique_ptr<Engine>>()> open;
  };
  // The preferred one first; at least one.
  explicit EngineChoice(std::vector<Offer> offers);

  // The preferred engine's; a loaded model tells its own.
  std::string_view platform() const override { return entries_.front().offer.platform; }
  Result<void> open() override;  // the preferred one
  // Where none takes it, the last one's error; where one that is asked cannot be opened, why.
  Result<std::unique_ptr<Model>> load(const std::string& path) override;

 private:
  struct Entry {
    Offer offer;
    std::unique_ptr<Engine> engine;
  };
  Result<Engine*> opened(Entry& entry);

  std::mutex mutex_;
  std::vector<Entry> entries_;
};

}  // namespace holdfast::inference
