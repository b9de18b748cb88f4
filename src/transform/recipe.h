// A recipe: how a file becomes a tensor. Steps come from YAML, in this order, each optional but
// `resize` where a fixed shape is needed:
//   steps:
//     - decode: {color: gray}                                  # gray | rgb | keep
//     - resize: {width: 8, height: 8, filter: area, fit: stretch}  # nearest|area|bilinear|lanczos;
//     stretch|pad
//     - scale: {from: [0, 255], to: [0, 1]}                    # linear; any number of scale and
//     normalize
//     - normalize: {mean: [0.5], std: [0.25]}                  # one value, or one for each channel
//     - layout: flat                                           # hwc | chw | flat
//     - type: float32                                          # uint8 | float32 | float64
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "transform/image.h"
#include "transform/tensor.h"

namespace holdfast::transform {

enum class Fit { stretch, pad };  // pad: keeps the aspect, centred, the rest filled
enum class Layout { hwc, chw, flat };

struct Resize {
  uint32_t width = 0, height = 0;
  Filter filter = Filter::area;
  Fit fit = Fit::stretch;
  double fill = 0;  // the sample value of padding, before scale and normalize
};

// value → (value - subtract) * multiply + add; one entry, or one for each channel.
struct Linear {
  std::vector<double> subtract, multiply, add;
};

class Recipe {
 public:
  Color color = Color::keep;
  std::optional<Resize> resize;
  std::vector<Linear> linear;
  Layout layout = Layout::hwc;
  Type type = Type::float32;
  std::string sha256;  // of the YAML text, lower-case hex

  // The shape of one file's tensor, where it is the same for every file.
  std::optional<std::vector<int64_t>> shape() const;
};

// invalid_argument with SOURCE:LINE:COLUMN.
Result<Recipe> parse_recipe(std::string_view yaml, std::string_view source);

struct Transformed {
  Tensor tensor;
  uint32_t width = 0, height = 0;  // of the picture in the file
};
// Fails as decode() does; invalid_argument with reason wrong_channels where `normalize` names
// another number of channels than the picture has.
Result<Transformed> apply_to(const Recipe& recipe, ByteView file);
// The tensor alone.
Result<Tensor> apply(const Recipe& recipe, ByteView file);

}  // namespace holdfast::transform
