#include "inference/pictures.h"

#include <algorithm>
#include <chrono>

#include "inference/input.h"

namespace holdfast::inference {
namespace {

Datatype datatype_of(transform::Type type) {
  switch (type) {
    case transform::Type::uint8:
      return Datatype::uint8;
    case transform::Type::float32:
      return Datatype::fp32;
    case transform::Type::float64:
      return Datatype::fp64;
  }
  return Datatype::fp32;
}

bool fits(const std::vector<int64_t>& wanted, const std::vector<int64_t>& shape, size_t from) {
  if (wanted.size() != shape.size() + from) return false;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (wanted[i + from] >= 0 && wanted[i + from] != shape[i]) return false;
  }
  return true;
}

// The shape of `count` tensors of `row` each, for an input that wants `wanted`.
std::vector<int64_t> shape_of(const std::vector<int64_t>& wanted, std::vector<int64_t> row,
                              size_t count) {
  if (count > 1 || wanted.size() != row.size())
    row.insert(row.begin(), static_cast<int64_t>(count));
  return row;
}

struct Turn {
  explicit Turn(std::atomic<size_t>& waiting_) : waiting(waiting_), before(waiting++) {}
  ~Turn() { --waiting; }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  std::atomic<size_t>& waiting;
  const size_t before;
};

}  // namespace

Result<PictureInput> picture_input(std::string_view yaml, const Signature& signature) {
  PictureInput made;
  TRY(made.recipe, transform::parse_recipe(yaml, "picture.yaml"));
  const auto row = made.recipe.shape();
  const Datatype type = datatype_of(made.recipe.type);
  size_t found = 0;
  for (size_t i = 0; i < signature.inputs.size(); ++i) {
    const TensorInfo& info = signature.inputs[i];
    // What no recipe fixes is what a request's pictures have.
    const size_t rank = made.recipe.layout == transform::Layout::flat ? 1 : 3;
    const bool takes = row ? fits(info.shape, *row, 1) || fits(info.shape, *row, 0)
                           : info.shape.size() == rank || info.shape.size() == rank + 1;
    if (info.type != type || !takes) continue;
    made.input = i;
    ++found;
  }
  if (found != 1)
    return fail(Code::invalid_argument,
                "picture.yaml makes " + std::string(to_string(type)) +
                    (row ? " tensors of " + shape_text(*row) : std::string(" tensors")) + ", and " +
                    (found == 0 ? "no input" : "more than one input") + " of the model takes them");
  return made;
}

bool looks_like_picture(std::string_view bytes) {
  return bytes.starts_with("\x89PNG\r\n\x1a\n") || bytes.starts_with("\xff\xd8\xff");
}

bool gives_pictures(const TensorView& view, const Signature& signature) {
  return view.type == Datatype::bytes &&
         std::ranges::any_of(signature.inputs, [&](const TensorInfo& info) {
           return info.pictures && info.name == view.name;
         });
}

Result<void> decode_pictures(const PictureInput& pictures, const TensorInfo& info,
                             MonoTime deadline, TensorView& view, std::vector<Bytes>& owned) {
  const size_t count = view.texts.size();
  std::vector<int64_t> row;
  Bytes all;
  for (size_t i = 0; i < count; ++i) {
    const std::string where = "input '" + info.name + "', picture " + std::to_string(i + 1) +
                              " of " + std::to_string(count);
    if (std::chrono::steady_clock::now() >= deadline)
      return fail(Code::timed_out, "the deadline passed while the pictures were decoded");
    auto made = transform::apply(pictures.recipe, as_bytes(view.texts[i]));
    if (!made) return std::unexpected(std::move(made).error().with_context(where));
    if (i == 0) {
      if (made->data.size() * count > transform::kMaxBytes)
        return fail(Code::too_large, where + ": decoded they need more than " +
                                         format_size(transform::kMaxBytes) + "; send fewer");
      row = made->shape;
      all = std::move(made->data);
      all.reserve(all.size() * count);
      continue;
    }
    if (made->shape != row)
      return fail(Code::invalid_argument, where + " has the shape " + shape_text(made->shape) +
                                              ", the first one " + shape_text(row));
    all.insert(all.end(), made->data.begin(), made->data.end());
  }
  view.type = info.type;
  view.shape = shape_of(info.shape, std::move(row), count);
  view.texts.clear();
  owned.push_back(std::move(all));
  view.data = owned.back();
  return {};
}

Task<Result<void>> PictureDecoder::run(const PictureInput& pictures, const Signature& signature,
                                       MonoTime deadline, std::vector<TensorView>& inputs,
                                       std::vector<Bytes>& owned) {
  const TensorInfo& info = signature.inputs[pictures.input];
  const auto view = std::ranges::find_if(
      inputs, [&](const TensorView& input) { return input.name == info.name; });
  if (view == inputs.end() || !gives_pictures(*view, signature)) co_return Result<void>();
  const Turn turn(waiting_);
  if (turn.before >= queue_)
    co_return fail(Code::unavailable, "queue_full",
                   "too many requests wait for their pictures to be decoded");
  auto work = [&] { return decode_pictures(pictures, info, deadline, *view, owned); };
  CO_TRY_VOID(co_await pool_.run(std::move(work)));
  co_return check_input(*view, signature);
}

}  // namespace holdfast::inference
