#include "inference/quantize/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <random>

#include "base/digest.h"
#include "base/files.h"
#include "inference/onnxruntime/onnxruntime_engine.h"
#include "inference/quantize/plan.h"
#include "inference/quantize/ranges.h"

namespace holdfast::inference {
namespace {

using onnx::AttributeProto;
using onnx::NodeProto;
using onnx::TensorProto;

// Two convolutions, the second beside a way around it, and ten classes.
struct Net {
  onnx::ModelProto model;
  std::mt19937 draw{7};

  explicit Net(int64_t set = 17) {
    model.set_ir_version(8);
    model.add_opset_import()->set_version(set);
    model.mutable_graph()->set_name("net");
    port(*model.mutable_graph()->add_input(), "x", {-1, 3, 16, 16});
    port(*model.mutable_graph()->add_output(), "y", {-1, 10});
  }
  void convolutional() {
    weights("w1", {16, 3, 3, 3});
    weights("b1", {16});
    weights("w2", {16, 16, 3, 3});
    weights("w3", {16, 10});
    weights("b3", {1, 10});
    pads(node("Conv", {"x", "w1", "b1"}, "c1"));
    node("Relu", {"c1"}, "r1");
    pads(node("Conv", {"r1", "w2"}, "c2"));
    node("Add", {"c2", "r1"}, "a");
    node("Relu", {"a"}, "r2");
    node("GlobalAveragePool", {"r2"}, "p");
    node("Flatten", {"p"}, "f");
    node("Gemm", {"f", "w3", "b3"}, "y");
  }
  NodeProto& node(const char* operation, std::vector<std::string> inputs, const char* output) {
    NodeProto& made = *model.mutable_graph()->add_node();
    made.set_op_type(operation);
    made.set_name(output);
    for (std::string& input : inputs) made.add_input(std::move(input));
    made.add_output(output);
    return made;
  }
  static void pads(NodeProto& node) {
    AttributeProto& attribute = *node.add_attribute();
    attribute.set_name("auto_pad");
    attribute.set_type(3);
    attribute.set_s("SAME_UPPER");
  }
  TensorProto& weights(const char* name, const std::vector<int64_t>& dims) {
    TensorProto& tensor = *model.mutable_graph()->add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(TensorProto::FLOAT);
    tensor.mutable_dims()->Add(dims.begin(), dims.end());
    std::normal_distribution<float> normal(0, 0.2F);
    for (uint64_t i = 0; i < elements_of(tensor); ++i) tensor.add_float_data(normal(draw));
    return tensor;
  }
  static void port(onnx::ValueInfoProto& info, const char* name, const std::vector<int64_t>& dims) {
    info.set_name(name);
    info.mutable_type()->mutable_tensor_type()->set_elem_type(TensorProto::FLOAT);
    auto* shape = info.mutable_type()->mutable_tensor_type()->mutable_shape();
    for (const int64_t size : dims) {
      auto* dim = shape->add_dim();
      if (size < 0)
        dim->set_dim_param("n");
      else
        dim->set_dim_value(size);
    }
  }
};

struct Quantize : testing::Test {
  std::string folder = testing::TempDir() + "quantize-" + hex(as_bytes(random_bytes(6)));
  std::vector<std::vector<Tensor>> images;
  std::vector<Inputs> requests;

  void SetUp() override {
    ASSERT_TRUE(make_directories(folder));
    std::mt19937 draw(3);
    std::normal_distribution<float> normal;
    for (int i = 0; i < 4; ++i) {
      Tensor image{.name = "x", .shape = {5, 3, 16, 16}};
      std::vector<float> values(5UL * 3 * 16 * 16);
      for (float& value : values) value = normal(draw);
      image.data.resize(values.size() * sizeof(float));
      std::memcpy(image.data.data(), values.data(), image.data.size());
      images.push_back({std::move(image)});
    }
    for (const auto& image : images) requests.push_back(views_of(image));
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  // `most`: layers that are accepted.
  Result<Quantized> run(const Net& net, size_t most = SIZE_MAX) {
    EXPECT_TRUE(replace_file(in(), as_bytes(net.model.SerializeAsString())));
    const auto few = [most](const std::string& file) -> Result<bool> {
      return in_8_bits(file) <= most;
    };
    return quantize(in(), requests, few, out());
  }
  // The weights of a file that are in 8 bits.
  static size_t in_8_bits(const std::string& file) {
    const auto model = read_onnx(file);
    EXPECT_TRUE(model);
    size_t count = 0;
    for (const TensorProto& tensor : model->graph().initializer())
      count += tensor.data_type() == TensorProto::INT8 && elements_of(tensor) > 16 ? 1 : 0;
    return count;
  }
  std::string in() const { return folder + "/in.onnx"; }
  std::string out() const { return folder + "/out.onnx"; }

  static std::unique_ptr<Model> load(const std::string& path) {
    static const std::unique_ptr<Engine> engine = std::move(*open_onnxruntime());
    auto model = engine->load(path);
    EXPECT_TRUE(model) << (model ? "" : model.error().message());
    return model ? std::move(*model) : nullptr;
  }
  std::vector<float> answers(const std::string& path) {
    std::vector<float> out;
    const auto model = load(path);
    for (const Inputs& request : requests) {
      const auto ran = model->run(request, {});
      EXPECT_TRUE(ran) << (ran ? "" : ran.error().message());
      if (!ran) continue;
      const size_t before = out.size();
      out.resize(before + (*ran)[0].data.size() / sizeof(float));
      std::memcpy(out.data() + before, (*ran)[0].data.data(), (*ran)[0].data.size());
    }
    return out;
  }
  // The largest difference, of the largest value.
  double off() {
    const std::vector<float> wanted = answers(in()), got = answers(out());
    EXPECT_EQ(wanted.size(), got.size());
    double scale = 0, most = 0;
    for (size_t i = 0; i < std::min(wanted.size(), got.size()); ++i) {
      scale = std::max(scale, std::abs(static_cast<double>(wanted[i])));
      most = std::max(most, std::abs(static_cast<double>(wanted[i]) - got[i]));
    }
    return most / scale;
  }
};

TEST_F(Quantize, AnswersNearlyAlikeInAThirdOfTheBytes) {
  Net net;
  net.convolutional();
  const auto done = run(net);
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(done->layers, 3u);
  EXPECT_EQ(done->of, 3u);
  EXPECT_EQ(in_8_bits(out()), 3u);
  EXPECT_LT(off(), 0.03);
  EXPECT_GT(off(), 0);
  EXPECT_EQ(load(out())->signature(), load(in())->signature());
  for (const TensorProto& tensor : read_onnx(out())->graph().initializer())
    EXPECT_TRUE(tensor.data_type() != TensorProto::FLOAT || elements_of(tensor) <= 16);
}

// Else an engine goes back to float32 between two layers.
TEST_F(Quantize, WhatFlowsBetweenIsInIntegersToo) {
  Net net;
  net.convolutional();
  const Constants constants = constants_of(net.model.graph());
  const auto nodes = weighted_nodes(net.model, constants);
  ASSERT_TRUE(nodes);
  const Plan plan = plan_quantizing(net.model.graph(), *nodes);
  EXPECT_EQ(plan.values, (Values{"x", "r1", "c2", "r2", "p", "f", "y"}));
  // The first alone: nothing after its activation.
  const Plan first = plan_quantizing(net.model.graph(), {nodes->front()});
  EXPECT_EQ(first.values, (Values{"x", "r1"}));
}

TEST_F(Quantize, TakesTheMostLayersThatAreAccepted) {
  Net net;
  net.convolutional();
  for (const size_t most : {1UL, 2UL}) {
    const auto done = run(net, most);
    ASSERT_TRUE(done);
    EXPECT_EQ(done->layers, most);
    EXPECT_EQ(in_8_bits(out()), most);
    EXPECT_LT(off(), 0.03);
  }
  std::filesystem::remove(out());
  const auto none = run(net, 0);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Code::conflict);
  EXPECT_FALSE(std::filesystem::exists(out()));
}

TEST_F(Quantize, OlderModelsHaveOneScaleForAllChannels) {
  Net net(12);
  net.convolutional();
  const auto done = run(net);
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(done->layers, 3u);
  EXPECT_LT(off(), 0.06);
}

TEST_F(Quantize, LargeBiasesDoNotOverflow) {
  Net net;
  net.convolutional();
  for (float& value : *net.model.mutable_graph()->mutable_initializer(1)->mutable_float_data())
    value = 1e9F;
  ASSERT_TRUE(run(net));
  EXPECT_LT(off(), 0.03);
}

TEST_F(Quantize, JudgesOnRequestsThatHaveMadeNoScale) {
  Net net;
  net.convolutional();
  auto* values = reinterpret_cast<float*>(images[1][0].data.data());
  for (size_t i = 0; i < images[1][0].data.size() / sizeof(float); ++i) values[i] *= 50;
  ASSERT_TRUE(run(net));
  EXPECT_GT(off(), 0.3);  // the second is cut off, and is among those which are judged
}

TEST_F(Quantize, WhatIsNotFiniteStaysAsItIs) {
  Net net;
  net.convolutional();
  net.model.mutable_graph()->mutable_initializer(2)->set_float_data(5, NAN);  // of w2
  const auto done = run(net);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->layers, 1u);  // what follows is not finite either
  EXPECT_EQ(done->of, 3u);
  EXPECT_EQ(in_8_bits(out()), 1u);
}

TEST_F(Quantize, WeightsThatAreNearlyNothingAreNoTrouble) {
  Net net;
  net.convolutional();
  auto& tiny = *net.model.mutable_graph()->mutable_initializer(2)->mutable_float_data();  // of w2
  for (float& value : tiny) value = std::copysign(std::numeric_limits<float>::denorm_min(), value);
  ASSERT_TRUE(run(net));
  EXPECT_LT(off(), 0.03);
}

TEST_F(Quantize, RefusesWhatItCannotDo) {
  Net net;
  net.convolutional();
  ASSERT_TRUE(run(net));
  std::filesystem::rename(out(), in());
  const auto any = [](const std::string&) -> Result<bool> { return true; };
  const auto twice = quantize(in(), requests, any, out());
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().message(), "it is quantised as it is");

  Net plain;
  plain.node("Flatten", {"x"}, "f");
  plain.node("Relu", {"f"}, "y");
  plain.model.mutable_graph()->mutable_output(0)->clear_type();
  Net::port(*plain.model.mutable_graph()->mutable_output(0), "y", {-1, 768});
  const auto nothing = run(plain);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code(), Code::unsupported);

  Net old(9);
  old.convolutional();
  const auto before = run(old);
  ASSERT_FALSE(before);
  EXPECT_EQ(before.error().message(), "its operators are of set 9; quantising needs 10");

  EXPECT_TRUE(replace_file(in(), as_bytes("nothing")));
  EXPECT_EQ(quantize(in(), requests, any, out()).error().code(), Code::invalid_argument);
}

TEST(Floats, SizesThatLieAreErrors) {
  TensorProto tensor;
  tensor.set_data_type(TensorProto::FLOAT);
  tensor.add_dims(3);
  tensor.set_raw_data(std::string(12, '\0'));
  EXPECT_EQ(floats_of(tensor)->size(), 3u);
  for (const int64_t size : {-1L, 2L, 4L, INT64_MAX}) {
    tensor.set_dims(0, size);
    EXPECT_FALSE(floats_of(tensor)) << size;
  }
  tensor.set_dims(0, 1L << 31);
  tensor.add_dims(1L << 31);
  EXPECT_FALSE(floats_of(tensor));
  tensor.set_data_type(TensorProto::INT8);
  EXPECT_EQ(floats_of(tensor).error().code(), Code::unsupported);
}

}  // namespace
}  // namespace holdfast::inference
