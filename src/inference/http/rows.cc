#include <algorithm>

#include "inference/http/codec.h"
#include "inference/http/json_values.h"
#include "inference/http/tensor_input.h"

namespace holdfast::inference {
namespace {

namespace dom = simdjson::dom;

Result<dom::element> rows_in(const dom::element& root) {
  dom::element data;
  if (root["data"].get(data) != simdjson::SUCCESS &&
      root["input_data"]["data"].get(data) != simdjson::SUCCESS &&
      root["input_data"].get(data) != simdjson::SUCCESS) {
    return fail(Code::invalid_argument,
                "the body must be {\"data\":[[…]]} or {\"input_data\":[[…]]}");
  }
  dom::array rows;
  if (data.get(rows) != simdjson::SUCCESS || rows.begin() == rows.end())
    return fail(Code::invalid_argument, "the body's data must be a list of rows, at least one");
  return data;
}

// Elements from `index` on, as lists nested like the shape from `level` on.
void append_level(std::string& out, const Tensor& tensor, size_t level, size_t& index) {
  if (level == tensor.shape.size()) return append_element(out, tensor, index++);
  out += '[';
  for (int64_t i = 0; i < tensor.shape[level]; ++i) {
    if (i > 0) out += ',';
    append_level(out, tensor, level + 1, index);
  }
  out += ']';
}

Result<void> append_tensor(std::string& out, const Tensor& tensor) {
  TRY_VOID(check_json_form(tensor));
  size_t index = 0;
  append_level(out, tensor, 0, index);
  return {};
}

}  // namespace

Result<InferRequest> parse_rows(std::string_view body, const Signature& signature) {
  JsonDocument document;
  TRY(const dom::element root, document.parse(body));
  TRY(const dom::element data, rows_in(root));
  if (signature.inputs.size() != 1)
    return fail(Code::unsupported, "/score is for models with one input; use /v2/models/…/infer");
  const TensorInfo& info = signature.inputs[0];
  InferRequest request;
  request.names.push_back(info.name);
  TensorView view;
  view.name = request.names.back();
  view.type = info.type;
  auto nesting = measure(data);
  if (!nesting) return std::unexpected(std::move(nesting).error().with_context("the body"));
  view.shape = std::move(nesting->lengths);
  TRY_VOID(check_input(view, signature));
  TRY_VOID(fill_json(view, data, request));
  request.inputs.push_back(std::move(view));
  return request;
}

Result<std::string> write_rows(const std::vector<Tensor>& outputs) {
  std::string out;
  if (outputs.size() == 1) {
    TRY_VOID(append_tensor(out, outputs[0]));
    return out;
  }
  out = "{";
  for (const Tensor& tensor : outputs) {
    if (out.size() > 1) out += ',';
    out += json_text(tensor.name) + ":";
    TRY_VOID(append_tensor(out, tensor));
  }
  return out + "}";
}

}  // namespace holdfast::inference
