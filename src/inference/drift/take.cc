// The part of watching that is on the request's thread.
#include <simdjson.h>

#include <algorithm>
#include <cstring>

#include "inference/drift/features.h"

namespace holdfast::inference {
namespace {

constexpr size_t kMostRows = 256;        // of a request
constexpr uint64_t kMostNumbers = 1024;  // of a row
constexpr size_t kMostLabel = 64;        // bytes

// A number of the tensor's type as FP32.
template <class T>
struct Reader {
  const std::byte* data;
  T at(uint64_t index) const {
    T value;
    std::memcpy(&value, data + index * sizeof value, sizeof value);
    return value;
  }
};

// Calls `use` with a reader of the type's numbers.
template <class Use>
void with_reader(Datatype type, const std::byte* data, const Use& use) {
  switch (type) {
    case Datatype::boolean:
    case Datatype::uint8:
      return use(Reader<uint8_t>{data});
    case Datatype::uint16:
      return use(Reader<uint16_t>{data});
    case Datatype::uint32:
      return use(Reader<uint32_t>{data});
    case Datatype::uint64:
      return use(Reader<uint64_t>{data});
    case Datatype::int8:
      return use(Reader<int8_t>{data});
    case Datatype::int16:
      return use(Reader<int16_t>{data});
    case Datatype::int32:
      return use(Reader<int32_t>{data});
    case Datatype::int64:
      return use(Reader<int64_t>{data});
    case Datatype::fp16:
      return use(Reader<_Float16>{data});
    case Datatype::fp32:
      return use(Reader<float>{data});
    case Datatype::fp64:
      return use(Reader<double>{data});
    case Datatype::bytes:
      break;
  }
}

// A text as a class: short, and such as a file of JSON can carry.
std::string label_of(std::string_view text) {
  size_t size = std::min(text.size(), kMostLabel);
  while (size > 0 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80)
    --size;
  std::string out(text.substr(0, size));
  if (!simdjson::validate_utf8(out.data(), out.size())) {
    for (char& sign : out) sign = static_cast<unsigned char>(sign) < 0x80 ? sign : '?';
  }
  return out;
}

uint64_t rows_in(const Part& part, const std::vector<int64_t>& shape) {
  return !part.has_rows ? 1 : shape.empty() ? 0 : static_cast<uint64_t>(shape[0]);
}

// Nothing where the tensor has not the rows of the request.
void add(Taken& taken, const Part& part, const TensorView& view, uint64_t rows, size_t picked) {
  if (part.as == Watched::nothing || rows_in(part, view.shape) != rows) return;
  const bool texts = view.type == Datatype::bytes;
  const uint64_t all = texts ? view.texts.size() : view.data.size() / size_of(view.type);
  const uint64_t width = all / rows;
  if (view.type != part.type || width == 0 || (part.width > 0 && width != part.width)) return;
  if (part.as == Watched::largest && (width < 2 || width > kMostNumbers)) return;
  Taken::Piece piece{.part = &part};
  piece.width = texts ? 1 : std::min(width, kMostNumbers);
  const auto row_at = [&](size_t i) { return i * rows / picked * width; };
  if (texts) {
    for (size_t i = 0; i < picked; ++i) {
      uint64_t length = 0;
      for (uint64_t j = 0; j < width; ++j) length += view.texts[row_at(i) + j].size();
      piece.numbers.push_back(static_cast<float>(length));
      if (part.as == Watched::label) piece.labels.push_back(label_of(view.texts[row_at(i)]));
    }
  } else if (part.as == Watched::label) {
    with_reader(view.type, view.data.data(), [&](auto reader) {
      for (size_t i = 0; i < picked; ++i)
        piece.labels.push_back(std::to_string(static_cast<int64_t>(reader.at(row_at(i)))));
    });
  } else {
    piece.numbers.resize(picked * piece.width);
    with_reader(view.type, view.data.data(), [&](auto reader) {
      float* into = piece.numbers.data();
      for (size_t i = 0; i < picked; ++i) {
        const uint64_t begin = row_at(i);
        for (uint64_t j = 0; j < piece.width; ++j)
          *into++ = static_cast<float>(reader.at(begin + j * width / piece.width));
      }
    });
  }
  taken.pieces.push_back(std::move(piece));
}

}  // namespace

uint64_t Taken::bytes() const {
  uint64_t out = sizeof(Taken);
  for (const Piece& piece : pieces)
    out += sizeof(Piece) + piece.numbers.size() * sizeof(float) +
           piece.labels.size() * (sizeof(std::string) + kMostLabel);
  return out;
}

Taken take(const Plan& plan, const Inputs& inputs, const Outputs& outputs) {
  const auto part_of = [](const std::vector<Part>& parts, std::string_view name) {
    const auto found = std::ranges::find(parts, name, &Part::tensor);
    return found == parts.end() ? nullptr : &*found;
  };
  // As the first input says that has rows.
  uint64_t rows = 1;
  for (const TensorView& input : inputs) {
    const Part* part = part_of(plan.inputs, input.name);
    if (part == nullptr || !part->has_rows) continue;
    rows = rows_in(*part, input.shape);
    break;
  }
  Taken taken;
  if (rows == 0) return taken;
  taken.rows = std::min<uint64_t>(rows, kMostRows);
  const auto take_all = [&](const std::vector<Part>& parts, const Inputs& tensors) {
    for (const TensorView& tensor : tensors) {
      if (const Part* part = part_of(parts, tensor.name))
        add(taken, *part, tensor, rows, taken.rows);
    }
  };
  take_all(plan.inputs, inputs);
  take_all(plan.outputs, views_of(outputs));
  return taken;
}

}  // namespace holdfast::inference
