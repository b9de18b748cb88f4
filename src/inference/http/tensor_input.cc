#include "inference/http/tensor_input.h"

namespace holdfast::inference {
namespace {

namespace dom = simdjson::dom;

std::unexpected<Error> bad(const TensorView& view, const std::string& text) {
  return fail(Code::invalid_argument, "input '" + std::string(view.name) + "'" + text);
}

}  // namespace

Result<void> fill_json(TensorView& view, const dom::element& data, InferRequest& request) {
  TRY(const uint64_t count, count_of(view));
  const auto nesting = measure(data);
  if (!nesting) return bad(view, ": " + nesting.error().message());
  if (nesting->leaves != count)
    return bad(view, " has " + std::to_string(nesting->leaves) +
                         " elements of data, its shape wants " + std::to_string(count));
  if (nesting->lengths.size() > 1 && nesting->lengths.size() == view.shape.size() && count > 0 &&
      nesting->lengths != view.shape)
    return bad(view, ": its data is nested as " + shape_text(nesting->lengths) + ", its shape is " +
                         shape_text(view.shape));
  if (view.type == Datatype::fp16)
    return bad(view, ": FP16 has no JSON form; send it as binary data");
  if (view.type == Datatype::bytes) {
    std::vector<std::string> texts;
    if (!collect_texts(data, texts)) return bad(view, ": BYTES elements are texts");
    request.texts.push_back(std::move(texts));
    const auto& kept = request.texts.back();
    view.texts.assign(kept.begin(), kept.end());
    return {};
  }
  Bytes bytes(count * size_of(view.type));
  if (!store_all(view.type, data, bytes.data()))
    return bad(view, ": an element is not a " + std::string(to_string(view.type)));
  request.owned.push_back(std::move(bytes));
  view.data = request.owned.back();
  return {};
}

}  // namespace holdfast::inference
