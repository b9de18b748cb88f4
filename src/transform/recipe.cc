#include "transform/recipe.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/digest.h"
#include "base/yaml.h"

namespace holdfast::transform {
namespace {

constexpr std::array<std::string_view, 6> kSteps{"decode",    "resize", "scale",
                                                 "normalize", "layout", "type"};

// Steps come in this order; scale and normalize share a place.
int place_of(std::string_view step) {
  const auto at = std::find(kSteps.begin(), kSteps.end(), step) - kSteps.begin();
  return static_cast<int>(at < 3 ? at : at - 1);
}

template <class T, size_t N>
Result<T> choice(YamlMap& map, std::string_view key,
                 const std::array<std::pair<std::string_view, T>, N>& choices,
                 std::optional<T> otherwise) {
  if (otherwise && !map.has(key)) return *otherwise;
  TRY(const std::string word, map.text(key));
  std::string all;
  for (const auto& [name, value] : choices) {
    if (word == name) return value;
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  return std::unexpected(map.error_at(key, "'" + word + "' is none of: " + all));
}

constexpr std::array<std::pair<std::string_view, Color>, 3> kColors{
    {{"gray", Color::gray}, {"rgb", Color::rgb}, {"keep", Color::keep}}};
constexpr std::array<std::pair<std::string_view, Filter>, 4> kFilters{
    {{"nearest", Filter::nearest},
     {"area", Filter::area},
     {"bilinear", Filter::bilinear},
     {"lanczos", Filter::lanczos}}};
constexpr std::array<std::pair<std::string_view, Fit>, 2> kFits{
    {{"stretch", Fit::stretch}, {"pad", Fit::pad}}};
constexpr std::array<std::pair<std::string_view, Layout>, 3> kLayouts{
    {{"hwc", Layout::hwc}, {"chw", Layout::chw}, {"flat", Layout::flat}}};
constexpr std::array<std::pair<std::string_view, Type>, 3> kTypes{
    {{"uint8", Type::uint8}, {"float32", Type::float32}, {"float64", Type::float64}}};

Result<void> read_resize(YamlMap& step, Recipe& recipe) {
  TRY(YamlMap map, step.map("resize"));
  Resize resize;
  for (const std::string_view side : {"width", "height"}) {
    if (!map.has(side)) return std::unexpected(map.error_at(side, "is required"));
    TRY(const int64_t pixels, map.integer_or(side, 1, 1, kMaxSide));
    (side == "width" ? resize.width : resize.height) = static_cast<uint32_t>(pixels);
  }
  TRY(resize.filter, choice(map, "filter", kFilters, std::optional(Filter::area)));
  TRY(resize.fit, choice(map, "fit", kFits, std::optional(Fit::stretch)));
  if (map.has("fill") && resize.fit != Fit::pad)
    return std::unexpected(map.error_at("fill", "has a meaning only with fit: pad"));
  TRY(resize.fill, map.number_or("fill", 0));
  TRY_VOID(map.finish());
  recipe.resize = resize;
  return {};
}

Result<void> read_scale(YamlMap& step, Recipe& recipe) {
  TRY(YamlMap map, step.map("scale"));
  TRY(const std::vector<double> from, map.numbers_or("from", {0, 255}));
  TRY(const std::vector<double> to, map.numbers_or("to", {0, 1}));
  TRY_VOID(map.finish());
  if (from.size() != 2 || from[0] == from[1])
    return std::unexpected(map.error_at("from", "must be two different numbers"));
  if (to.size() != 2) return std::unexpected(map.error_at("to", "must be two numbers"));
  recipe.linear.push_back({{from[0]}, {(to[1] - to[0]) / (from[1] - from[0])}, {to[0]}});
  return {};
}

Result<void> read_normalize(YamlMap& step, Recipe& recipe) {
  TRY(YamlMap map, step.map("normalize"));
  TRY(const std::vector<double> mean, map.numbers_or("mean", {}));
  TRY(const std::vector<double> deviation, map.numbers_or("std", {}));
  TRY_VOID(map.finish());
  if (mean.empty() || mean.size() > 4)
    return std::unexpected(map.error_at("mean", "must be one number, or one for each channel"));
  if (deviation.size() != mean.size())
    return std::unexpected(map.error_at("std", "must have as many numbers as mean"));
  Linear linear;
  linear.subtract = mean;
  for (const double value : deviation) {
    if (value == 0 || !std::isfinite(value))
      return std::unexpected(map.error_at("std", "must not hold 0"));
    linear.multiply.push_back(1 / value);
    linear.add.push_back(0);
  }
  const size_t channels = recipe.color == Color::gray ? 1 : 3;
  if (mean.size() > 1 && recipe.color != Color::keep && mean.size() != channels)
    return std::unexpected(map.error_at("mean", "has " + std::to_string(mean.size()) +
                                                    " numbers for " + std::to_string(channels) +
                                                    " channels"));
  recipe.linear.push_back(std::move(linear));
  return {};
}

Result<void> read_step(std::string_view name, YamlMap& step, Recipe& recipe) {
  if (name == "resize") return read_resize(step, recipe);
  if (name == "scale") return read_scale(step, recipe);
  if (name == "normalize") return read_normalize(step, recipe);
  if (name == "layout") {
    TRY(recipe.layout, choice(step, "layout", kLayouts, std::optional<Layout>()));
  } else if (name == "type") {
    TRY(recipe.type, choice(step, "type", kTypes, std::optional<Type>()));
  } else {
    TRY(YamlMap map, step.map("decode"));
    TRY(recipe.color, choice(map, "color", kColors, std::optional(Color::keep)));
    TRY_VOID(map.finish());
  }
  return {};
}

Result<Samples> sized(const Recipe& recipe, const Image& image) {
  if (!recipe.resize) {
    TRY_VOID(check_size(image.width, image.height, image.channels * sizeof(float)));
    return to_samples(image);
  }
  const Resize& to = *recipe.resize;
  if (to.fit == Fit::stretch) return resize(image, to.width, to.height, to.filter);
  TRY_VOID(check_size(to.width, to.height, image.channels * sizeof(float)));
  const double factor = std::min(static_cast<double>(to.width) / image.file_width,
                                 static_cast<double>(to.height) / image.file_height);
  const auto fitted = [&](uint32_t side, uint32_t limit) {
    return std::clamp(static_cast<uint32_t>(std::lround(side * factor)), 1u, limit);
  };
  TRY(const Samples inner, resize(image, fitted(image.file_width, to.width),
                                  fitted(image.file_height, to.height), to.filter));
  Samples out;
  out.width = to.width;
  out.height = to.height;
  out.channels = image.channels;
  out.values.assign(size_t{to.width} * to.height * image.channels, static_cast<float>(to.fill));
  const size_t left = (to.width - inner.width) / 2, top = (to.height - inner.height) / 2;
  const size_t row = size_t{inner.width} * inner.channels;
  for (size_t y = 0; y < inner.height; ++y) {
    std::copy_n(inner.values.data() + y * row, row,
                out.values.data() + ((top + y) * to.width + left) * out.channels);
  }
  return out;
}

template <class T>
T converted(double value) {
  if constexpr (std::is_same_v<T, uint8_t>) {
    return static_cast<uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
  } else {
    return static_cast<T>(value);
  }
}

template <class T>
void fill(const Recipe& recipe, const Samples& samples, Bytes& data) {
  const size_t channels = samples.channels, pixels = size_t{samples.width} * samples.height;
  data.resize(pixels * channels * sizeof(T));
  for (size_t i = 0; i < pixels * channels; ++i) {
    const size_t channel = i % channels, pixel = i / channels;
    double value = samples.values[i];
    for (const Linear& step : recipe.linear) {
      const size_t c = step.subtract.size() == 1 ? 0 : channel;
      value = (value - step.subtract[c]) * step.multiply[c] + step.add[c];
    }
    const T last = converted<T>(value);
    const size_t at = recipe.layout == Layout::chw ? channel * pixels + pixel : i;
    std::memcpy(data.data() + at * sizeof(T), &last, sizeof(T));
  }
}

std::vector<int64_t> shape_of(Layout layout, int64_t width, int64_t height, int64_t channels) {
  if (layout == Layout::flat) return {width * height * channels};
  if (layout == Layout::chw) return {channels, height, width};
  return {height, width, channels};
}

}  // namespace

std::optional<std::vector<int64_t>> Recipe::shape() const {
  if (!resize || color == Color::keep) return std::nullopt;
  return shape_of(layout, resize->width, resize->height, color == Color::gray ? 1 : 3);
}

Result<Recipe> parse_recipe(std::string_view yaml, std::string_view source) {
  TRY(YamlMap map, YamlMap::parse(yaml, source));
  TRY(std::vector<YamlMap> steps, map.maps("steps"));
  TRY_VOID(map.finish());
  if (steps.empty()) return std::unexpected(map.error_at("steps", "needs at least one step"));
  Recipe recipe;
  std::string_view last;
  for (YamlMap& step : steps) {
    std::string_view name;
    for (const std::string_view known : kSteps) {
      if (!step.has(known)) continue;
      if (!name.empty())
        return std::unexpected(step.error_at(known, "belongs into a step of its own"));
      name = known;
    }
    TRY_VOID(step.finish());
    if (name.empty()) return std::unexpected(step.error_at("", "is an empty step"));
    const int place = place_of(name);
    if (!last.empty() && (place < place_of(last) || (place == place_of(last) && place != 2))) {
      return std::unexpected(step.error_at(
          name, name == last ? "is there twice" : "must come before " + std::string(last)));
    }
    last = name;
    TRY_VOID(read_step(name, step, recipe));
  }
  recipe.sha256 = sha256_hex(as_bytes(yaml));
  return recipe;
}

Result<Transformed> apply_to(const Recipe& recipe, ByteView file) {
  AtLeast at_least;
  if (recipe.resize && recipe.resize->filter != Filter::nearest)
    at_least = {recipe.resize->width, recipe.resize->height};
  TRY(const Image image, decode(file, recipe.color, at_least));
  for (const Linear& step : recipe.linear) {
    if (step.subtract.size() > 1 && step.subtract.size() != image.channels) {
      return fail(Code::invalid_argument, "wrong_channels",
                  "the picture has " + std::to_string(image.channels) +
                      " channels, normalize names " + std::to_string(step.subtract.size()));
    }
  }
  TRY(const Samples samples, sized(recipe, image));
  TRY_VOID(check_size(samples.width, samples.height, samples.channels * size_of(recipe.type)));
  Transformed out;
  out.width = image.file_width;
  out.height = image.file_height;
  out.tensor.type = recipe.type;
  out.tensor.shape = shape_of(recipe.layout, samples.width, samples.height, samples.channels);
  switch (recipe.type) {
    case Type::uint8:
      fill<uint8_t>(recipe, samples, out.tensor.data);
      break;
    case Type::float32:
      fill<float>(recipe, samples, out.tensor.data);
      break;
    case Type::float64:
      fill<double>(recipe, samples, out.tensor.data);
      break;
  }
  return out;
}

Result<Tensor> apply(const Recipe& recipe, ByteView file) {
  TRY(Transformed transformed, apply_to(recipe, file));
  return std::move(transformed.tensor);
}

}  // namespace holdfast::transform
