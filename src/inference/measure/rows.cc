#include "inference/measure/rows.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <fstream>

#include "base/files.h"
#include "base/json_reader.h"
#include "inference/http/codec.h"
#include "inference/measure/npz.h"

namespace holdfast::inference {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using Use = std::function<Result<void>(const Inputs&)>;

constexpr uint64_t kRows = 64;  // of a request
constexpr size_t kMostLine = 64 << 20;

bool has_rows(const TensorInfo& info) {
  return info.shape.size() > 1 || (info.shape.size() == 1 && info.shape[0] < 0);
}

Result<void> check_array(const Tensor& array, const TensorInfo& info) {
  const std::string where = "the input '" + info.name + "' ";
  if (array.type != info.type)
    return fail(Code::invalid_argument, where + "is " + std::string(to_string(info.type)) +
                                            ", the array " + std::string(to_string(array.type)));
  bool fits = array.shape.size() == info.shape.size();
  for (size_t i = has_rows(info) ? 1 : 0; fits && i < info.shape.size(); ++i)
    fits = info.shape[i] < 0 || info.shape[i] == array.shape[i];
  if (!fits) return fail(Code::invalid_argument, where + "has another shape than the array");
  return {};
}

// The rows from `begin` on; all of a tensor without rows.
TensorView piece_of(const Tensor& array, const TensorInfo& info, uint64_t begin, uint64_t rows) {
  TensorView view{
      .name = array.name, .type = array.type, .shape = array.shape, .data = ByteView(array.data)};
  if (!has_rows(info)) return view;
  const uint64_t row = array.data.size() / static_cast<uint64_t>(array.shape[0]);
  view.shape[0] = static_cast<int64_t>(rows);
  view.data = view.data.subspan(begin * row, rows * row);
  return view;
}

// Arrays in the order of the inputs.
Result<void> use_arrays(const Signature& signature, const std::vector<Tensor>& arrays,
                        const Use& use) {
  uint64_t rows = 0, each = kRows;
  for (size_t i = 0; i < arrays.size(); ++i) {
    const TensorInfo& info = signature.inputs[i];
    TRY_VOID(check_array(arrays[i], info));
    if (!has_rows(info)) continue;
    const auto here = static_cast<uint64_t>(arrays[i].shape[0]);
    if (rows != 0 && here != rows)
      return fail(Code::invalid_argument, "the array of the input '" + info.name + "' has " +
                                              std::to_string(here) + " rows, another one " +
                                              std::to_string(rows));
    rows = here;
    if (info.shape[0] > 0) each = static_cast<uint64_t>(info.shape[0]);
  }
  const bool any = std::ranges::any_of(signature.inputs, has_rows);
  if (!any) rows = each = 1;
  if (rows == 0) return fail(Code::invalid_argument, "it has no rows");
  for (uint64_t begin = 0; begin < rows; begin += each) {
    const uint64_t count = std::min(each, rows - begin);
    Inputs inputs;
    for (size_t i = 0; i < arrays.size(); ++i) {
      const TensorInfo& info = signature.inputs[i];
      if (has_rows(info) && info.shape[0] > 0 && count != each)
        return fail(Code::invalid_argument, "it has " + std::to_string(rows) +
                                                " rows, the model takes " + std::to_string(each) +
                                                " at a time");
      inputs.push_back(piece_of(arrays[i], info, begin, count));
    }
    TRY_VOID(use(inputs));
  }
  return {};
}

Result<void> use_npz(const Signature& signature, const std::string& path, const Use& use) {
  TRY(auto arrays, read_npz(path));
  std::vector<Tensor> ordered;
  for (const TensorInfo& info : signature.inputs) {
    const auto found = std::ranges::find(arrays, info.name, &Tensor::name);
    if (found == arrays.end())
      return fail(Code::invalid_argument, "the input '" + info.name + "' has no array of its name");
    ordered.push_back(std::move(*found));
  }
  return use_arrays(signature, ordered, use);
}

Result<void> use_npy(const Signature& signature, const std::string& path, const Use& use) {
  if (signature.inputs.size() != 1)
    return fail(Code::invalid_argument, "the model has " + std::to_string(signature.inputs.size()) +
                                            " inputs: a .npz file names their arrays");
  TRY(Tensor array, read_npy(path));
  array.name = signature.inputs[0].name;
  std::vector<Tensor> arrays;
  arrays.push_back(std::move(array));
  return use_arrays(signature, arrays, use);
}

// The request in a line; empty: the line is about something else, or was too large to be captured.
Result<std::string> request_in(const std::string& line, RowsRead& read) {
  TRY(const json::object object, parse_json_object(line, "the line"));
  if (object.contains("inputs")) return line;
  const JsonReader from(object, "");
  TRY(const std::string type, from.text_or("type", ""));
  if (type == "azureml.inference.model_outputs") return "";
  const json::value* data = from.find("data");
  if (type != "azureml.inference.model_inputs" || data == nullptr || !data->is_array())
    return fail(Code::invalid_argument,
                "the line is no request ({\"inputs\": […]}) and no captured one");
  for (const json::value& tensor : data->get_array()) {
    if (!tensor.is_object() || !tensor.get_object().contains("summary")) continue;
    ++read.skipped;
    return "";
  }
  return json::serialize(json::object{{"inputs", *data}});
}

Result<void> use_lines(const Signature& signature, const std::string& path, const Use& use,
                       RowsRead& read) {
  std::ifstream file(path);
  if (!file) return fail(Code::not_found, "it cannot be read");
  std::string line;
  for (uint64_t number = 1; std::getline(file, line); ++number) {
    if (trim(line).empty()) continue;
    const std::string where = "line " + std::to_string(number);
    if (line.size() > kMostLine) return fail(Code::invalid_argument, where + " is too long");
    auto body = request_in(line, read);
    if (!body) return std::unexpected(std::move(body).error().with_context(where));
    if (body->empty()) continue;
    const auto request = parse_infer(*body, std::nullopt, signature);
    if (!request) return std::unexpected(Error(request.error()).with_context(where));
    TRY_VOID(use(request->inputs));
  }
  return {};
}

Result<std::vector<std::string>> files_at(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return fail(Code::not_found, "there is no " + path);
  if (!fs::is_directory(path, error)) return std::vector{path};
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    const std::string name = entry.path().filename(), kind = entry.path().extension();
    if (!name.starts_with('.') && (kind == ".npz" || kind == ".npy" || kind == ".jsonl"))
      files.push_back(entry.path());
  }
  std::ranges::sort(files);
  if (files.empty())
    return fail(Code::invalid_argument, path + " has no .npz, .npy or .jsonl file in it");
  return files;
}

}  // namespace

Result<RowsRead> each_request(const Signature& signature, const std::string& path, const Use& use,
                              const std::function<void(double)>& progress) {
  TRY(const auto files, files_at(path));
  RowsRead read;
  for (const std::string& file : files) {
    const bool lines = file.ends_with(".jsonl"), one = file.ends_with(".npy");
    auto done = lines ? use_lines(signature, file, use, read)
                : one ? use_npy(signature, file, use)
                      : use_npz(signature, file, use);
    if (!done) return std::unexpected(std::move(done).error().with_context(file));
    ++read.files;
    progress(static_cast<double>(read.files) / static_cast<double>(files.size()));
  }
  return read;
}

}  // namespace holdfast::inference
