#include "answers/model_client.h"

#include <boost/json.hpp>

#include "base/log.h"

namespace holdfast::answers {
namespace {

namespace json = boost::json;

constexpr uint64_t kAnswerLimit = 16 << 20;

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string out;
  for (const int64_t side : shape) out += (out.empty() ? "" : ",") + std::to_string(side);
  return "[" + out + "]";
}

// The values of `data` from `at` on, nested by the sides from `axis` on.
json::value nested(const json::array& data, const std::vector<int64_t>& sides, size_t axis,
                   size_t& at) {
  if (axis == sides.size()) return at < data.size() ? data[at++] : json::value();
  json::array out;
  for (int64_t i = 0; i < sides[axis] && at < data.size(); ++i)
    out.push_back(nested(data, sides, axis + 1, at));
  return out;
}

std::vector<int64_t> sides_of(const json::value& value) {
  std::vector<int64_t> sides;
  for (const json::value& side : value.as_array()) sides.push_back(side.to_number<int64_t>());
  return sides;
}

// What the server says for itself; its JSON form, or the beginning of the text.
std::string message_of(std::string_view body) {
  boost::system::error_code error;
  const json::value value = json::parse(body, error);
  if (!error && value.is_object()) {
    const json::value* text = value.as_object().if_contains("error");
    if (text && text->is_string()) return std::string(text->as_string());
  }
  return std::string(body.substr(0, 200));
}

Error refused(unsigned status, std::string_view body) {
  const std::string text =
      "the inference server answered " + std::to_string(status) + ": " + message_of(body);
  if (status == 400 || status == 413 || status == 422)
    return Error(Code::invalid_argument, "model_refused", text);
  return Error(Code::unavailable, text);
}

// What the local door could not do for its own reasons.
bool for_http(const Error& error) {
  return error.reason() == "local_door" || error.reason() == "local_busy" ||
         error.code() == Code::too_large;
}

}  // namespace

Result<std::vector<int64_t>> fitted_shape(const ModelInput& input, transform::Type type,
                                          const std::vector<int64_t>& row_shape) {
  const auto fits = [&](size_t skip) {
    if (input.shape.size() != row_shape.size() + skip) return false;
    for (size_t i = 0; i < row_shape.size(); ++i) {
      const int64_t side = input.shape[i + skip];
      if (side != -1 && side != row_shape[i]) return false;
    }
    return true;
  };
  if (input.datatype == transform::protocol_name(type)) {
    if (fits(1) && (input.shape[0] == -1 || input.shape[0] == 1)) {
      std::vector<int64_t> shape{1};
      shape.insert(shape.end(), row_shape.begin(), row_shape.end());
      return shape;
    }
    if (fits(0)) return row_shape;
  }
  return fail(Code::conflict, "model_mismatch",
              "the recipe makes " + std::string(transform::protocol_name(type)) + " " +
                  shape_text(row_shape) + ", the model's input '" + input.name + "' is " +
                  input.datatype + " " + shape_text(input.shape));
}

Result<ModelInput> read_metadata(std::string_view text) {
  try {
    const json::value document = json::parse(text);
    const json::array& inputs = document.at("inputs").as_array();
    if (inputs.size() != 1)
      return fail(
          Code::conflict, "model_mismatch",
          "the model has " + std::to_string(inputs.size()) + " inputs, a transform feeds one");
    ModelInput input;
    input.name = json::value_to<std::string>(inputs[0].at("name"));
    input.datatype = json::value_to<std::string>(inputs[0].at("datatype"));
    input.shape = sides_of(inputs[0].at("shape"));
    return input;
  } catch (const std::exception& e) {
    return fail(Code::internal, std::string("the model's metadata can not be read: ") + e.what());
  }
}

Result<ModelAnswer> read_answer(std::string_view text) {
  try {
    const json::value document = json::parse(text);
    ModelAnswer answer;
    if (const json::value* version = document.as_object().if_contains("model_version"))
      answer.version = json::value_to<std::string>(*version);
    if (const json::value* parameters = document.as_object().if_contains("parameters"))
      if (const json::value* digest = parameters->as_object().if_contains("model_digest"))
        answer.digest = json::value_to<std::string>(*digest);
    json::object outputs;
    for (const json::value& output : document.at("outputs").as_array()) {
      std::vector<int64_t> sides = sides_of(output.at("shape"));
      if (!sides.empty() && sides[0] == 1) sides.erase(sides.begin());
      size_t at = 0;
      outputs[json::value_to<std::string>(output.at("name"))] =
          nested(output.at("data").as_array(), sides, 0, at);
    }
    answer.outputs = json::serialize(outputs);
    return answer;
  } catch (const std::exception& e) {
    return fail(Code::internal, std::string("the model's answer can not be read: ") + e.what());
  }
}

Task<Result<ModelInput>> ModelClient::metadata() {
  http::ClientRequest request("GET", server_ + "/v2/models/" + percent_encode(model_));
  request.timeout = std::chrono::milliseconds(5000);
  CO_TRY(const http::Client::Whole whole, co_await client_.fetch(std::move(request), kAnswerLimit));
  if (whole.status == 404 || whole.status == 400)
    co_return fail(Code::unavailable, "no_model",
                   "the model '" + model_ + "' is not on the inference server");
  if (whole.status != 200) co_return std::unexpected(refused(whole.status, whole.body));
  co_return read_metadata(whole.body);
}

ModelClient::ModelClient(http::Client& client, ModelServer server, std::string model)
    : client_(client), server_(std::move(server.url)), model_(std::move(model)) {
  if (!server.local.empty()) local_.emplace(std::move(server.local));
}

void ModelClient::went(std::string_view way, const std::string& why) {
  if (way_ == way) return;
  way_ = way;
  if (way == "local") {
    log::info("answers", "asks through the local door", {{"model", model_}});
  } else if (local_) {
    log::warning("answers", "asks over HTTP, not through the local door",
                 {{"model", model_}, {"why", why}});
  }
}

Task<Result<ModelAnswer>> ModelClient::ask(ModelInput input, const transform::Tensor& row) {
  CO_TRY(const std::vector<int64_t> shape, fitted_shape(input, row.type, row.shape));
  std::optional<Error> not_locally;
  if (local_ && large_.empty()) {
    Result<ModelAnswer> said = co_await ask_locally(input, shape, row);
    if (said) went("local", "");
    if (said || !for_http(said.error())) co_return said;
    not_locally = std::move(said).error();
  }
  Result<ModelAnswer> said = co_await ask_over_http(std::move(input), shape, row);
  if (!said) co_return said;
  if (!not_locally) {
    if (said->digest != large_) large_.clear();  // another model: its answers may be smaller
    went("http", "");
  } else if (not_locally->reason() != "local_busy") {
    if (not_locally->code() == Code::too_large) large_ = said->digest;
    went("http", not_locally->message());
  }
  co_return said;
}

Task<Result<ModelAnswer>> ModelClient::ask_locally(ModelInput input, std::vector<int64_t> shape,
                                                   const transform::Tensor& row) {
  const Result<std::string> answer =
      co_await local_->infer(model_, std::move(input), std::move(shape), row);
  if (answer) co_return read_answer(*answer);
  const Error& error = answer.error();
  const std::string text = "the inference server answered: " + error.message();
  if (for_http(error)) co_return std::unexpected(error);
  switch (error.code()) {
    case Code::invalid_argument:
      co_return fail(Code::invalid_argument, "model_refused", text);
    case Code::not_found:
      co_return fail(Code::unavailable, "no_model",
                     "the model '" + model_ + "' is not on the inference server");
    case Code::timed_out:
    case Code::cancelled:
      co_return std::unexpected(error);
    default:
      co_return fail(Code::unavailable, text);
  }
}

Task<Result<ModelAnswer>> ModelClient::ask_over_http(ModelInput input, std::vector<int64_t> shape,
                                                     const transform::Tensor& row) {
  const json::object head{{"inputs",
                           {{{"name", input.name},
                             {"datatype", input.datatype},
                             {"shape", json::value_from(shape)},
                             {"parameters", {{"binary_data_size", row.data.size()}}}}}}};
  http::ClientRequest request("POST", server_ + "/v2/models/" + percent_encode(model_) + "/infer");
  request.body = json::serialize(head);
  request.headers.set("Inference-Header-Content-Length", std::to_string(request.body.size()));
  request.headers.set("Content-Type", "application/octet-stream");
  request.body += as_text(row.data);
  CO_TRY(const http::Client::Whole whole, co_await client_.fetch(std::move(request), kAnswerLimit));
  if (whole.status == 404)
    co_return fail(Code::unavailable, "no_model",
                   "the model '" + model_ + "' is not on the inference server");
  if (whole.status != 200) co_return std::unexpected(refused(whole.status, whole.body));
  CO_TRY(ModelAnswer answer, read_answer(whole.body));
  if (answer.digest.empty()) answer.digest = whole.headers.get_or("Holdfast-Model-Digest", "");
  co_return answer;
}

}  // namespace holdfast::answers
