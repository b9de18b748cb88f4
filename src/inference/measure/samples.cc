#include "inference/measure/samples.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <random>

#include "inference/measure/npz.h"

namespace holdfast::inference {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostElements = 64 << 20;

// A free first size is rows: one. Other free sizes are what networks of convolutions take.
std::vector<int64_t> likely_shape(const TensorInfo& info) {
  std::vector<int64_t> out = info.shape;
  for (size_t i = 0; i < out.size(); ++i) {
    if (out[i] >= 0) continue;
    const bool picture = out.size() == 4;
    out[i] = i == 0 ? 1 : !picture ? 8 : i == 1 ? 3 : 64;
  }
  return out;
}

template <class T, class Draw>
RawBytes fill(uint64_t count, Draw draw) {
  RawBytes out(count * sizeof(T));
  for (uint64_t i = 0; i < count; ++i) {
    const T value = draw();
    std::memcpy(out.data() + i * sizeof(T), &value, sizeof value);
  }
  return out;
}

// Numbers of 0 to 1; whole ones are 0 or 1, which are indices in most tables.
RawBytes random_data(Datatype type, uint64_t count, std::mt19937_64& random) {
  std::uniform_real_distribution<double> real(0, 1);
  switch (type) {
    case Datatype::fp32:
      return fill<float>(count, [&] { return static_cast<float>(real(random)); });
    case Datatype::fp64:
      return fill<double>(count, [&] { return real(random); });
    case Datatype::fp16:  // a half of 0.5 to 1 has this exponent
      return fill<uint16_t>(count,
                            [&] { return static_cast<uint16_t>(0x3800 | (random() & 0x3ff)); });
    default:
      break;
  }
  const size_t size = size_of(type);
  RawBytes out(count * size, std::byte{0});
  for (uint64_t i = 0; i < count; ++i) out[i * size] = std::byte(random() & 1);
  return out;
}

Result<std::vector<Sample>> make(const Signature& signature, const SampleOptions& options) {
  std::mt19937_64 random(options.seed);
  for (const auto& [name, shape] : options.shapes) {
    if (std::ranges::find(signature.inputs, name, &TensorInfo::name) == signature.inputs.end())
      return fail(Code::invalid_argument, "the model has no input '" + name + "'");
  }
  std::vector<Sample> out;
  for (size_t i = 0; i < std::max<size_t>(options.count, 1); ++i) {
    Sample sample;
    for (const TensorInfo& info : signature.inputs) {
      Tensor tensor;
      tensor.name = info.name;
      tensor.type = info.type;
      const auto given = options.shapes.find(info.name);
      tensor.shape = given != options.shapes.end() ? given->second : likely_shape(info);
      TRY(const uint64_t count, element_count(tensor.shape));
      if (count > kMostElements)
        return fail(Code::too_large, "the input '" + info.name + "' is too large to be made up");
      if (info.type == Datatype::bytes) {
        tensor.texts.assign(count, "text");
      } else {
        tensor.data = random_data(info.type, count, random);
      }
      sample.push_back(std::move(tensor));
    }
    out.push_back(std::move(sample));
  }
  return out;
}

Result<Sample> read_one(const std::string& path, const Signature& signature) {
  auto arrays = read_npz(path);
  if (!arrays) return std::unexpected(arrays.error().with_context(path));
  Sample out;
  for (const TensorInfo& info : signature.inputs) {
    const auto found = std::ranges::find(*arrays, info.name, &Tensor::name);
    const std::string where = path + ": the input '" + info.name + "' ";
    if (found == arrays->end())
      return fail(Code::invalid_argument, where + "has no array of that name");
    if (found->type != info.type)
      return fail(Code::invalid_argument, where + "is " + std::string(to_string(info.type)) +
                                              ", the array " + std::string(to_string(found->type)));
    bool fits = found->shape.size() == info.shape.size();
    for (size_t i = 0; fits && i < info.shape.size(); ++i)
      fits = info.shape[i] < 0 || info.shape[i] == found->shape[i];
    if (!fits) return fail(Code::invalid_argument, where + "has another shape than the array");
    out.push_back(std::move(*found));
  }
  return out;
}

}  // namespace

Result<std::vector<Sample>> samples_for(const Signature& signature, const SampleOptions& options) {
  if (options.path.empty()) return make(signature, options);
  std::error_code error;
  std::vector<std::string> files;
  if (fs::is_directory(options.path, error)) {
    for (const auto& entry : fs::directory_iterator(options.path, error)) {
      if (entry.path().extension() == ".npz") files.push_back(entry.path().string());
    }
    std::ranges::sort(files);
    if (files.empty())
      return fail(Code::invalid_argument, options.path + " has no .npz file in it");
  } else {
    files.push_back(options.path);
  }
  std::vector<Sample> out;
  for (const std::string& file : files) {
    TRY(Sample sample, read_one(file, signature));
    out.push_back(std::move(sample));
  }
  return out;
}

}  // namespace holdfast::inference
