// Two engines as one: a model is loaded by the preferred one, or by the other where that does not
// take it. The other is opened when it is first needed, so that a library that no model needs takes
// no memory.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "inference/engine.h"

namespace holdfast::inference {

class EngineChoice final : public Engine {
 public:
  using Open = std::function<Result<std::unique_ptr<Engine>>()>;
  EngineChoice(std::unique_ptr<Engine> preferred, Open open_other)
      : preferred_(std::move(preferred)), open_other_(std::move(open_other)) {}

  // The preferred engine's; a loaded model tells its own.
  std::string_view platform() const override { return preferred_->platform(); }
  // Where neither takes it, the other's error; where the other cannot be opened, why.
  Result<std::unique_ptr<Model>> load(const std::string& path) override;

 private:
  Result<Engine*> other();

  std::unique_ptr<Engine> preferred_;
  Open open_other_;
  std::mutex mutex_;
  std::unique_ptr<Engine> other_;
};

}  // namespace holdfast::inference
