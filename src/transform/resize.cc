#include <algorithm>
#include <cmath>
#include <numbers>

#include "transform/image.h"

namespace holdfast::transform {
namespace {

// For each output position, the input positions that it takes from and their weights (sum 1).
struct Taps {
  struct Span {
    uint32_t first = 0;
    std::vector<float> weights;
  };
  std::vector<Span> spans;
};

double lanczos(double x) {
  constexpr double kLobes = 3;
  if (x == 0) return 1;
  if (std::abs(x) >= kLobes) return 0;
  const double p = std::numbers::pi * x;
  return kLobes * std::sin(p) * std::sin(p / kLobes) / (p * p);
}

double weight(Filter filter, double x) {
  return filter == Filter::lanczos ? lanczos(x) : std::max(0.0, 1 - std::abs(x));
}

Taps taps_for(uint32_t in, uint32_t out, Filter filter) {
  const double scale = static_cast<double>(in) / out, wide = std::max(scale, 1.0);
  Taps taps;
  taps.spans.resize(out);
  for (uint32_t x = 0; x < out; ++x) {
    Taps::Span& span = taps.spans[x];
    const double center = (x + 0.5) * scale;
    if (filter == Filter::nearest) {
      span.first = std::min(static_cast<uint32_t>(center), in - 1);
      span.weights = {1};
      continue;
    }
    std::vector<double> weights;
    const double reach = filter == Filter::area      ? scale / 2
                         : filter == Filter::lanczos ? 3 * wide
                                                     : wide;
    const double left = std::max(0.0, center - reach), right = std::min<double>(in, center + reach);
    span.first = std::min(static_cast<uint32_t>(left), in - 1);
    double sum = 0;
    for (uint32_t i = span.first; i < in && i < right; ++i) {
      // Area: the part of the pixel that the output pixel covers; so a whole factor gives the plain
      // mean.
      const double value = filter == Filter::area
                               ? std::min<double>(i + 1, right) - std::max<double>(i, left)
                               : weight(filter, (i + 0.5 - center) / wide);
      weights.push_back(value);
      sum += value;
    }
    for (const double value : weights) span.weights.push_back(static_cast<float>(value / sum));
  }
  return taps;
}

}  // namespace

Samples to_samples(const Image& image) {
  Samples out;
  out.width = image.width;
  out.height = image.height;
  out.channels = image.channels;
  out.values.assign(image.samples.begin(), image.samples.end());
  return out;
}

Result<Samples> resize(const Image& image, uint32_t width, uint32_t height, Filter filter) {
  if (width == image.width && height == image.height) {
    TRY_VOID(check_size(width, height, image.channels * sizeof(float)));
    return to_samples(image);
  }
  const size_t channels = image.channels;
  TRY_VOID(check_size(width, height, channels * sizeof(float)));
  TRY_VOID(check_size(width, image.height, channels * sizeof(float)));
  const Taps across = taps_for(image.width, width, filter),
             down = taps_for(image.height, height, filter);

  std::vector<float> narrowed(size_t{width} * image.height * channels);
  for (size_t y = 0; y < image.height; ++y) {
    const uint8_t* row = image.samples.data() + y * image.width * channels;
    float* to = narrowed.data() + y * width * channels;
    for (const Taps::Span& span : across.spans) {
      const uint8_t* from = row + span.first * channels;
      for (const float part : span.weights) {
        for (size_t c = 0; c < channels; ++c) to[c] += part * static_cast<float>(from[c]);
        from += channels;
      }
      to += channels;
    }
  }

  Samples out;
  out.width = width;
  out.height = height;
  out.channels = image.channels;
  const size_t row = size_t{width} * channels;
  out.values.resize(row * height);
  for (size_t y = 0; y < height; ++y) {
    const Taps::Span& span = down.spans[y];
    float* to = out.values.data() + y * row;
    const float* from = narrowed.data() + span.first * row;
    for (const float part : span.weights) {
      for (size_t i = 0; i < row; ++i) to[i] += part * from[i];
      from += row;
    }
  }
  return out;
}

}  // namespace holdfast::transform
