#include "inference/http/metrics.h"

#include <gtest/gtest.h>

namespace holdfast::inference {
namespace {

TEST(Metrics, AHistogramIsCumulativeAndInSeconds) {
  auto loaded = std::make_shared<Loaded>();
  loaded->name = "m";
  loaded->version = 3;
  loaded->statistics.succeeded({.request = 20'000, .infer = 10'000});
  loaded->statistics.succeeded({.request = 300'000, .infer = 200'000});
  loaded->statistics.failed(Failure::rejected, 1);
  const std::string text = write_metrics({loaded});
  const std::string labels = "{model=\"m\",version=\"3\"";
  for (const std::string& line :
       {"nv_inference_request_success" + labels + "} 2\n",
        "nv_inference_request_duration_us" + labels + "} 320\n",
        "nv_inference_request_failure" + labels + ",reason=\"REJECTED\"} 1\n",
        "holdfast_inference_request_duration_seconds_bucket" + labels + ",le=\"2.5e-05\"} 1\n",
        "holdfast_inference_request_duration_seconds_bucket" + labels + ",le=\"0.00025\"} 1\n",
        "holdfast_inference_request_duration_seconds_bucket" + labels + ",le=\"5e-04\"} 2\n",
        "holdfast_inference_request_duration_seconds_bucket" + labels + ",le=\"+Inf\"} 2\n",
        "holdfast_inference_request_duration_seconds_count" + labels + "} 2\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST(Metrics, WithoutModelsThePageIsStillWellFormed) {
  const std::string text = write_metrics({});
  EXPECT_NE(text.find("# TYPE nv_inference_count counter\n"), std::string::npos);
  EXPECT_TRUE(text.ends_with("\n"));
}

}  // namespace
}  // namespace holdfast::inference
