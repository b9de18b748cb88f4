#include "inference/measure/server.h"
#include "net/runtime.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <boost/json/value_to.hpp>

namespace holdfast::inference {
namespace {

namespace json = boost::json;

std::string prefixed(uint32_t size) {
  std::string out;
  for (int i = 0; i < 4; ++i) out += static_cast<char>(size >> (8 * i) & 0xff);
  return out;
}

std::string binary_of(const TensorView& input) {
  if (input.type != Datatype::bytes) return std::string(as_text(input.data));
  std::string out;
  for (const std::string_view text : input.texts)
    out += prefixed(static_cast<uint32_t>(text.size())) + std::string(text);
  return out;
}

std::vector<int64_t> shape_of(const json::value& value) {
  return json::value_to<std::vector<int64_t>>(value);
}

Result<std::vector<std::string>> texts_in(std::string_view data) {
  std::vector<std::string> out;
  while (!data.empty()) {
    uint32_t size = 0;
    for (size_t i = 0; i < 4 && i < data.size(); ++i)
      size |= static_cast<uint32_t>(static_cast<unsigned char>(data[i])) << (8 * i);
    if (data.size() < 4 || data.size() - 4 < size)
      return fail(Code::internal, "the server's texts are cut");
    out.emplace_back(data.substr(4, size));
    data.remove_prefix(4 + size);
  }
  return out;
}

Result<Outputs> outputs_in(const json::object& head, std::string_view rest) {
  Outputs out;
  for (const json::value& row : head.at("outputs").as_array()) {
    Tensor tensor;
    tensor.name = json::value_to<std::string>(row.at("name"));
    TRY(tensor.type, parse_datatype(json::value_to<std::string>(row.at("datatype"))));
    tensor.shape = shape_of(row.at("shape"));
    const auto size =
        json::value_to<uint64_t>(row.at("parameters").as_object().at("binary_data_size"));
    if (size > rest.size()) return fail(Code::internal, "the server's answer is cut");
    const std::string_view data = rest.substr(0, size);
    rest.remove_prefix(size);
    if (tensor.type == Datatype::bytes) {
      TRY(tensor.texts, texts_in(data));
    } else {
      tensor.data.assign(as_bytes(data).begin(), as_bytes(data).end());
    }
    out.push_back(std::move(tensor));
  }
  return out;
}

Result<std::vector<TensorInfo>> tensors_in(const json::value& rows) {
  std::vector<TensorInfo> out;
  for (const json::value& row : rows.as_array()) {
    TensorInfo info;
    info.name = json::value_to<std::string>(row.at("name"));
    TRY(info.type, parse_datatype(json::value_to<std::string>(row.at("datatype"))));
    info.shape = shape_of(row.at("shape"));
    out.push_back(std::move(info));
  }
  return out;
}

std::unexpected<Error> error_of(const http::Client::Whole& answer) {
  boost::system::error_code error;
  const json::value value = json::parse(answer.body, error);
  const json::value* why =
      !error && value.is_object() ? value.as_object().if_contains("error") : nullptr;
  return fail(answer.status == 404   ? Code::not_found
              : answer.status == 503 ? Code::unavailable
              : answer.status < 500  ? Code::invalid_argument
                                     : Code::internal,
              why != nullptr && why->is_string()
                  ? "the server says: " + std::string(why->as_string())
                  : "the server answered with status " + std::to_string(answer.status));
}

Result<Served> served_in(const std::string& url, const std::string& body) try {
  const json::value value = json::parse(body);
  Served out{.url = url, .platform = json::value_to<std::string>(value.at("platform"))};
  TRY(out.signature.inputs, tensors_in(value.at("inputs")));
  TRY(out.signature.outputs, tensors_in(value.at("outputs")));
  return out;
} catch (const std::exception&) {
  return fail(Code::internal, url + " does not answer as the protocol says");
}

}  // namespace

http::Client client_of(const ServerAccess& access) {
  http::ClientOptions options;
  options.tls = access.tls;
  return http::Client(std::move(options));
}

http::ClientRequest request_to(const ServerAccess& access, std::string method, std::string url) {
  http::ClientRequest request(std::move(method), std::move(url));
  if (!access.token.empty()) request.headers.set("Authorization", "Bearer " + access.token);
  return request;
}

Task<Result<Served>> ask_served(ServerAccess access, std::string url) {
  http::Client client = client_of(access);  // ends before the context of its connections does
  http::ClientRequest request = request_to(access, "GET", url);
  CO_TRY(const auto answer, co_await client.fetch(std::move(request)));
  if (answer.status != 200) co_return error_of(answer);
  co_return served_in(url, answer.body);
}

http::ClientRequest infer_request(const ServerAccess& access, const std::string& url,
                                  const Inputs& inputs) {
  std::string data;
  json::array rows;
  for (const TensorView& input : inputs) {
    const std::string bytes = binary_of(input);
    json::object row;
    row["name"] = input.name;
    row["datatype"] = to_string(input.type);
    row["shape"] = json::value_from(input.shape);
    row["parameters"] = json::object{{"binary_data_size", bytes.size()}};
    rows.push_back(std::move(row));
    data += bytes;
  }
  json::object head;
  head["inputs"] = std::move(rows);
  head["parameters"] = json::object{{"binary_data_output", true}};
  http::ClientRequest request = request_to(access, "POST", url + "/infer");
  request.body = json::serialize(head);
  request.headers.set("inference-header-content-length", std::to_string(request.body.size()));
  request.headers.set("content-type", "application/octet-stream");
  request.body += data;
  return request;
}

Result<Outputs> read_answer(const http::Client::Whole& answer) {
  if (answer.status != 200) return error_of(answer);
  const auto length = answer.headers.get("inference-header-content-length");
  const auto size = length ? parse_u64(*length) : std::nullopt;
  if (!size || *size > answer.body.size())
    return fail(Code::internal, "the server did not answer with binary tensors");
  try {
    const std::string_view body = answer.body;
    const json::value head = json::parse(body.substr(0, *size));
    return outputs_in(head.as_object(), body.substr(*size));
  } catch (const std::exception& e) {
    return fail(Code::internal, std::string("the server's answer cannot be read: ") + e.what());
  }
}

namespace {

Task<Result<std::vector<Difference>>> verify_all(Model& raw, const std::vector<Sample>& samples,
                                                 const ServerAccess& access,
                                                 const std::string& url) {
  http::Client client = client_of(access);
  std::vector<Difference> out;
  for (const Sample& sample : samples) {
    const Inputs inputs = views_of(sample);
    CO_TRY(const Outputs wanted, raw.run(inputs, {}));
    http::ClientRequest request = infer_request(access, url, inputs);
    request.timeout = std::chrono::minutes(5);
    CO_TRY(const auto answer, co_await client.fetch(std::move(request), 1ull << 30));
    CO_TRY(const Outputs got, read_answer(answer));
    compare(wanted, got, out);
  }
  co_return out;
}

}  // namespace

Result<std::vector<Difference>> verify(Model& raw, const std::vector<Sample>& samples,
                                       const ServerAccess& access, const std::string& url) {
  return run_task(verify_all(raw, samples, access, url));
}

}  // namespace holdfast::inference
