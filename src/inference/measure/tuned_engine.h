// Another engine's models, those that were tuned run as was found best for them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "inference/engine.h"
#include "inference/measure/tuning.h"

namespace holdfast::inference {

// The library's engine with these settings; invalid_argument: there is no such engine.
Result<std::unique_ptr<Engine>> open_engine(const Tuning& tuning);

class TunedEngine final : public Engine {
 public:
  using Open = std::function<Result<std::unique_ptr<Engine>>(const Tuning&)>;
  // Both must outlive it. `usual` loads what was not tuned, and what the tuned engine refuses.
  TunedEngine(Engine& usual, const TuningStore& store, Open open = open_engine)
      : usual_(usual), store_(store), open_(std::move(open)) {}

  std::string_view platform() const override { return usual_.platform(); }
  Result<void> open() override { return usual_.open(); }
  Result<std::unique_ptr<Model>> load(const std::string& path) override {
    return usual_.load(path);
  }
  Result<Prepared> prepare(const std::string& path, const std::string& digest) override;
  void forget(const std::string& digest) override { store_.forget(digest); }

 private:
  Result<std::unique_ptr<Model>> load_tuned(const std::string& path, const std::string& digest,
                                            const TuningStore::Known& known);
  Result<Engine*> opened(const Tuning& tuning);

  Engine& usual_;
  const TuningStore& store_;
  const Open open_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Engine>> engines_;
};

}  // namespace holdfast::inference
