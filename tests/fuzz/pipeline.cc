// Pipelines as they are sent in, over a model of floats, one of texts and one of two inputs. What
// is taken runs, and answers as its signature says.
#include "inference/pipeline.h"

#include <cstdlib>

#include "inference/fake_engine.h"
#include "inference/loaded.h"
#include "memory_file.h"

using namespace holdfast;

namespace {

struct Models {
  Models() {
    put("twice", inference::fake_model(2));
    put("texts", inference::fake_model(1, "input x BYTES -1\noutput y BYTES -1\n"));
    put("both", inference::fake_model(3,
                                      "input a FP32 -1,2\ninput b FP32 4,2\n"
                                      "output c FP32 -1,2\noutput d FP32 4,2\n"));
  }
  void put(const std::string& name, const std::string& bytes) {
    auto loaded = std::make_shared<inference::Loaded>();
    loaded->name = name;
    loaded->model = std::move(*engine.load(memory_file(bytes.data(), bytes.size())));
    loaded->accepts = loaded->model->signature();
    members.push_back(std::move(loaded));
  }
  Result<inference::LoadedPtr> find(const std::string& name) const {
    for (const auto& member : members)
      if (member->name == name) return member;
    return fail(Code::not_found, "no model '" + name + "'");
  }
  inference::FakeEngine engine;
  std::vector<inference::LoadedPtr> members;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Models models;
  const std::string path = memory_file(data, size);
  if (!inference::is_pipeline(path)) return 0;
  const auto spec = inference::read_pipeline(path);
  if (!spec) return 0;
  if (spec->steps.empty() || spec->steps.size() > inference::kMostSteps) std::abort();
  const auto find = [](const std::string& name) { return models.find(name); };
  auto bound = inference::Pipeline::bind(*spec, "p", find);
  if (!bound) return 0;
  const auto model = inference::pipeline_model(std::move(*bound), find);
  const inference::Signature& signature = model->signature();
  const std::string zeros(32, '\0');  // four rows of two floats
  inference::Inputs inputs;
  for (const inference::TensorInfo& info : signature.inputs) {
    inference::TensorView& view = inputs.emplace_back();
    view.name = info.name;
    view.type = info.type;
    view.shape = {4};
    if (info.type == inference::Datatype::bytes) {
      view.texts.assign(4, "text");
    } else {
      view.shape.push_back(2);
      view.data = as_bytes(zeros);
    }
  }
  const auto answer = model->run(inputs, {});
  if (answer && answer->size() != signature.outputs.size()) std::abort();
  return 0;
}
