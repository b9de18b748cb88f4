#include "engines.h"

#include <utility>
#include <vector>

#include "inference/engine_choice.h"
#include "inference/onnxruntime/onnxruntime_engine.h"
#include "inference/openvino/openvino_engine.h"

namespace holdfast {

using namespace inference;  // NOLINT(google-build-using-namespace): this file is about nothing else

std::unique_ptr<Engine> offer_engines(const std::string& engine, int threads) {
  std::vector<EngineChoice::Offer> offers;
  if (engine == "openvino")
    offers.push_back({.platform = std::string(kOpenVinoPlatform),
                      .open = [threads] { return open_openvino({.threads = threads}); }});
  offers.push_back({.platform = std::string(kOnnxRuntimePlatform),
                    .open = [threads] { return open_onnxruntime({.threads = threads}); }});
  return std::make_unique<EngineChoice>(std::move(offers));
}

}  // namespace holdfast
