#include "inference/quantize/quantize.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>

#include "base/files.h"
#include "inference/onnxruntime/onnxruntime_engine.h"
#include "inference/quantize/rewrite.h"

namespace holdfast::inference {
namespace {

// A file that goes with its owner.
struct Scratch {
  std::string path;
  ~Scratch() { std::remove(path.c_str()); }
};

Result<void> write(const onnx::ModelProto& model, const std::string& path) {
  return replace_file(path, as_bytes(model.SerializeAsString()));
}

// Every other one, so that the accuracy is judged on what has shaped no scale as well.
std::vector<Inputs> every_other(const std::vector<Inputs>& requests) {
  std::vector<Inputs> out;
  for (size_t i = 0; i < requests.size(); i += 2) out.push_back(requests[i]);
  return out;
}

struct Layers {
  const onnx::ModelProto& model;
  const Constants& constants;
  std::vector<Weighted> nodes;  // in the order of the graph
  std::map<std::string, Range> ranges;
  std::vector<size_t> quietest_first;  // places in `nodes`, of those that can be judged

  Rewrite how(Plan plan) const { return {std::move(plan), ranges, constants, weight_bits()}; }
  // With the first so many of them in 8 bits.
  Result<onnx::ModelProto> quantized_first(size_t count) const {
    std::vector<size_t> places(quietest_first.begin(),
                               quietest_first.begin() + static_cast<ptrdiff_t>(count));
    std::ranges::sort(places);
    std::vector<Weighted> chosen;
    chosen.reserve(count);
    for (const size_t place : places) chosen.push_back(nodes[place]);
    return quantized(model, how(plan_quantizing(model.graph(), std::move(chosen))));
  }
};

// Finds the ranges and the order by running the model.
Result<void> learn(Layers& layers, const std::vector<Inputs>& requests,
                   const std::string& scratch) {
  TRY(const auto runtime, open_onnxruntime());
  const auto load = [&](const onnx::ModelProto& model) -> Result<std::unique_ptr<Model>> {
    TRY_VOID(write(model, scratch));
    return runtime->load(scratch);
  };
  const Plan all = plan_quantizing(layers.model.graph(), layers.nodes);
  onnx::ModelProto with_ranges = layers.model;
  add_range_outputs(with_ranges, all.values);
  TRY(const auto ranging, load(with_ranges));
  TRY(layers.ranges, ranges_over(*ranging, all.values, requests));
  TRY(const onnx::ModelProto both, compared(layers.model, layers.how(all)));
  TRY(const auto comparing, load(both));
  TRY(const auto noises, noises_over(*comparing, layers.nodes.size(), requests));
  for (size_t i = 0; i < noises.size(); ++i) {
    if (std::isfinite(noises[i])) layers.quietest_first.push_back(i);
  }
  std::ranges::sort(layers.quietest_first, {}, [&](size_t i) { return std::pair(noises[i], i); });
  return {};
}

}  // namespace

int weight_bits() {
#if defined(__x86_64__)
  // The instructions that add four products up in 32 bits: AVX512_VNNI and AVX_VNNI.
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool wide = __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c & (1U << 11)) != 0;
  const bool narrow = __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & (1U << 4)) != 0;
  return wide || narrow ? 8 : 7;
#else
  return 8;
#endif
}

Result<Quantized> quantize(const std::string& model, const std::vector<Inputs>& requests,
                           const Accept& accept, const std::string& into) {
  // Constants folded and normalisations joined with their convolutions first: between those two
  // nothing could be in integers.
  const Scratch simple{into + ".simple"}, scratch{into + ".scratch"};
  TRY(const auto simplifier, open_onnxruntime({.write_to = simple.path}));
  TRY_VOID(simplifier->load(model));
  TRY(const onnx::ModelProto parsed, read_onnx(simple.path));
  const Constants constants = constants_of(parsed.graph());
  Layers layers{.model = parsed, .constants = constants};
  TRY(layers.nodes, weighted_nodes(parsed, constants));
  TRY_VOID(learn(layers, every_other(requests), scratch.path));

  // All, or by halves the most: more layers in 8 bits hardly ever answer better than fewer.
  size_t good = 0, bad = layers.quietest_first.size() + 1;
  for (size_t count = bad - 1; good + 1 < bad; count = (good + bad) / 2) {
    TRY(const onnx::ModelProto made, layers.quantized_first(count));
    TRY_VOID(write(made, scratch.path));
    TRY(const bool accepted, accept(scratch.path));
    (accepted ? good : bad) = count;
    if (accepted && std::rename(scratch.path.c_str(), into.c_str()) != 0)
      return std::unexpected(errno_error(errno, "rename"));
  }
  if (good == 0) return fail(Code::conflict, "not one of its layers answers alike in 8 bits");
  return Quantized{into, good, layers.nodes.size()};
}

}  // namespace holdfast::inference
