#include "inference/fake_engine.h"

#include <charconv>
#include <cstring>

#include "base/files.h"

namespace holdfast::inference {
namespace {

constexpr std::string_view kMark = "fake model\n";

std::unexpected<Error> not_fake(const std::string& why) {
  return fail(Code::invalid_argument, "not a fake model: " + why);
}

Result<TensorInfo> read_tensor(const std::vector<std::string_view>& words) {
  if (words.size() != 4) return not_fake("a tensor has a name, a datatype and a shape");
  TensorInfo info;
  info.name = words[1];
  TRY(info.type, parse_datatype(words[2]));
  for (std::string_view size : split(words[3], ',')) {
    int64_t value = 0;
    const char* end = size.data() + size.size();
    if (std::from_chars(size.data(), end, value).ptr != end) return not_fake("a bad shape");
    info.shape.push_back(value);
  }
  return info;
}

template <class T>
void multiply(std::span<std::byte> data, int factor) {
  for (size_t at = 0; at + sizeof(T) <= data.size(); at += sizeof(T)) {
    T value{};
    std::memcpy(&value, data.data() + at, sizeof value);
    value *= static_cast<T>(factor);
    std::memcpy(data.data() + at, &value, sizeof value);
  }
}

Tensor product(const TensorView& input, std::string name, int factor) {
  Tensor out;
  out.name = std::move(name);
  out.type = input.type;
  out.shape = input.shape;
  out.data.assign(input.data.begin(), input.data.end());
  out.texts.assign(input.texts.begin(), input.texts.end());
  if (input.type == Datatype::fp32) multiply<float>(out.data, factor);
  if (input.type == Datatype::fp64) multiply<double>(out.data, factor);
  if (input.type == Datatype::int64) multiply<int64_t>(out.data, factor);
  return out;
}

}  // namespace

std::string fake_model(int factor, const std::string& tensors) {
  return std::string(kMark) + "factor " + std::to_string(factor) + "\n" + tensors;
}

class FakeEngine::FakeModel final : public Model {
 public:
  FakeModel(FakeEngine& engine, Signature signature, int factor)
      : engine_(engine), signature_(std::move(signature)), factor_(factor) {
    ++engine_.alive_;
  }
  ~FakeModel() override { --engine_.alive_; }
  FakeModel(const FakeModel&) = delete;
  FakeModel& operator=(const FakeModel&) = delete;

  std::string_view platform() const override { return "fake"; }
  const Signature& signature() const override { return signature_; }

  Result<std::vector<Tensor>> run(const std::vector<TensorView>& inputs,
                                  const std::vector<std::string>& outputs) override {
    ++engine_.runs_;
    if (engine_.on_run) TRY_VOID(engine_.on_run(inputs));
    std::vector<std::string> wanted = outputs;
    if (wanted.empty()) {
      for (const TensorInfo& info : signature_.outputs) wanted.push_back(info.name);
    }
    std::vector<Tensor> out;
    for (std::string& name : wanted) {
      size_t index = 0;
      while (index < signature_.outputs.size() && signature_.outputs[index].name != name) ++index;
      if (index == signature_.outputs.size())
        return fail(Code::invalid_argument, "no output '" + name + "'");
      const TensorView* input = nullptr;
      for (const TensorView& given : inputs) {
        if (given.name == signature_.inputs[index].name) input = &given;
      }
      if (input == nullptr) return fail(Code::invalid_argument, "an input is missing");
      out.push_back(product(*input, std::move(name), factor_));
    }
    return out;
  }

 private:
  FakeEngine& engine_;
  const Signature signature_;
  const int factor_;
};

Result<std::unique_ptr<Model>> FakeEngine::load(const std::string& path) {
  TRY(const std::string text, read_file(path));
  if (!text.starts_with(kMark)) return not_fake("its first line is another");
  Signature signature;
  int factor = 1;
  for (std::string_view line : split(std::string_view(text).substr(kMark.size()), '\n')) {
    if (line.empty()) continue;
    const auto words = split(line, ' ');
    if (words[0] == "factor" && words.size() == 2) {
      std::from_chars(words[1].data(), words[1].data() + words[1].size(), factor);
    } else if (words[0] == "input" || words[0] == "output") {
      TRY(TensorInfo info, read_tensor(words));
      (words[0] == "input" ? signature.inputs : signature.outputs).push_back(std::move(info));
    } else {
      return not_fake("an unknown line");
    }
  }
  if (signature.inputs.size() != signature.outputs.size())
    return not_fake("as many outputs as inputs are wanted");
  for (size_t i = 0; i < signature.inputs.size(); ++i) {
    if (signature.inputs[i].type != signature.outputs[i].type)
      return not_fake("an output has its input's datatype");
  }
  return std::make_unique<FakeModel>(*this, std::move(signature), factor);
}

}  // namespace holdfast::inference
