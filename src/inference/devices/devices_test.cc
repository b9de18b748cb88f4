#include "inference/devices/devices.h"

#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/files.h"
#include "inference/measure/tuned_engine.h"

namespace holdfast::inference {
namespace {

namespace fs = std::filesystem;

// A machine's /sys, /proc and /dev in a folder.
struct Devices : testing::Test {
  fs::path root = testing::TempDir() + "devices-" + hex(as_bytes(random_bytes(6)));
  void TearDown() override { fs::remove_all(root); }
  void file(const std::string& path, const std::string& text = "") {
    ASSERT_TRUE(make_directories((root / path).parent_path()));
    ASSERT_TRUE(replace_file(root / path, as_bytes(text)));
  }
  std::string found() {
    std::string out;
    for (const Accelerator& of : accelerators(root)) out += of.name + " " + of.node + "; ";
    return out;
  }
};

TEST_F(Devices, AreFoundAsTheKernelShowsThem) {
  EXPECT_EQ(found(), "");
  file("sys/class/drm/renderD128/device/vendor", "0x1002\n");  // AMD: no engine runs there
  file("sys/class/drm/card0/device/vendor", "0x8086\n");       // a screen
  EXPECT_EQ(found(), "");
  file("sys/class/drm/renderD129/device/vendor", "0x8086\n");
  file("sys/class/accel/accel0/device/vendor", "0x8086\n");
  file("proc/driver/nvidia/gpus/0000:01:00.0/information");
  EXPECT_EQ(
      found(),
      "NVIDIA GPU /dev/nvidia0; Intel GPU /dev/dri/renderD129; Intel NPU /dev/accel/accel0; ");
}

TEST_F(Devices, WhyOneIsNotUsedIsTold) {
  EXPECT_TRUE(offers(root).empty());
  file("sys/class/drm/renderD128/device/vendor", "0x8086\n");
  file("proc/driver/nvidia/gpus/0000:01:00.0/information");
  file("dev/nvidia0");
  const auto all = offers(root);
  ASSERT_EQ(all.size(), 3u);
  // The node is there, the library of this build is for processors alone.
  EXPECT_EQ(all[0].device, "cuda");
  EXPECT_NE(all[0].why_not.find("this ONNX Runtime has no 'cuda'"), std::string::npos);
  EXPECT_EQ(all[1].device, "tensorrt_rtx");
  EXPECT_NE(all[1].why_not.find("HOLDFAST_ONNXRUNTIME"), std::string::npos);
  EXPECT_EQ(all[2].engine, "openvino");
  EXPECT_EQ(all[2].why_not, "/dev/dri/renderD128 is not there");
}

TEST_F(Devices, LowerPrecisionIsTriedWhereItIsAskedFor) {
  EXPECT_EQ(candidates_of({"Intel GPU", "openvino", "gpu", ""}, false).size(), 2u);
  EXPECT_EQ(candidates_of({"Intel GPU", "openvino", "gpu", ""}, true).size(), 4u);
  EXPECT_TRUE(candidates_of({"Intel NPU", "openvino", "npu", ""}, false).empty());  // f16 alone
  const auto cuda = candidates_of({"NVIDIA GPU", "onnxruntime", "cuda", ""}, true);
  ASSERT_EQ(cuda.size(), 2u);
  EXPECT_EQ(describe(cuda[0]), "onnxruntime on cuda, 1 thread × 1 lane");
}

// What is asked for and not there is an error, never the processor in its place.
TEST_F(Devices, ALoadOnAMissingOneFails) {
  file("model.onnx", "not a model either");
  for (const auto& [engine, device] : {std::pair("onnxruntime", "cuda"),
                                       {"onnxruntime", "tensorrt_rtx"},
                                       {"onnxruntime", "abacus"},
                                       {"openvino", "gpu"}}) {
    Tuning tuning;
    tuning.engine = engine;
    tuning.device = device;
    const auto opened = open_engine(tuning);
    const auto loaded =
        opened ? (*opened)->load(root / "model.onnx") : std::unexpected(opened.error());
    ASSERT_FALSE(loaded) << device;
    EXPECT_EQ(loaded.error().code(), Code::unavailable) << device << loaded.error().message();
    EXPECT_NE(loaded.error().message().find(device), std::string::npos) << loaded.error().message();
  }
}

}  // namespace
}  // namespace holdfast::inference
