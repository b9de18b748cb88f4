#include "inference/grpc/codec.h"

#include <grpcpp/impl/codegen/proto_utils.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "inference/classification.h"
#include "inference/input.h"

namespace holdfast::inference::grpc_door {
namespace {

using Parameters = google::protobuf::Map<std::string, pb::InferParameter>;

std::unexpected<Error> bad(std::string text) {
  return fail(Code::invalid_argument, std::move(text));
}

// Clients send numbers in either form. nullopt: not there; invalid_argument: no number, or below 0.
Result<std::optional<uint64_t>> number_in(const Parameters& parameters, const std::string& key) {
  const auto found = parameters.find(key);
  if (found == parameters.end()) return std::nullopt;
  const pb::InferParameter& value = found->second;
  if (value.parameter_choice_case() == pb::InferParameter::kUint64Param)
    return value.uint64_param();
  if (value.parameter_choice_case() == pb::InferParameter::kInt64Param && value.int64_param() >= 0)
    return static_cast<uint64_t>(value.int64_param());
  return bad("the parameter '" + key + "' must be a number from 0");
}

Result<void> no_shared_memory(const Parameters& parameters, const std::string& tensor) {
  if (parameters.contains("shared_memory_region"))
    return fail(Code::unsupported,
                "'" + tensor + "': shared memory is not offered; send the tensor in the message");
  return {};
}

// Elements that the message holds as wider numbers, or as they are.
template <class T, class Field>
Result<void> narrow(TensorView& view, const Field& field, uint64_t count, Parsed& parsed) {
  if (static_cast<uint64_t>(field.size()) != count)
    return bad("input '" + std::string(view.name) + "' has " + std::to_string(field.size()) +
               " elements of data, its shape wants " + std::to_string(count));
  Bytes bytes(count * sizeof(T));
  if constexpr (std::is_same_v<T, std::decay_t<decltype(field.Get(0))>>) {
    if (count > 0) std::memcpy(bytes.data(), field.data(), bytes.size());
  } else {
    std::byte* at = bytes.data();
    for (const auto wide : field) {
      if (wide < std::numeric_limits<T>::min() || wide > std::numeric_limits<T>::max())
        return bad("input '" + std::string(view.name) + "': an element is not a " +
                   std::string(to_string(view.type)));
      const T value = static_cast<T>(wide);
      std::memcpy(at, &value, sizeof value);
      at += sizeof value;
    }
  }
  parsed.owned.push_back(std::move(bytes));
  view.data = parsed.owned.back();
  return {};
}

Result<void> fill_typed(TensorView& view, const pb::InferTensorContents& from, Parsed& parsed) {
  TRY(const uint64_t count, count_of(view));
  switch (view.type) {
    case Datatype::boolean:
      return narrow<bool>(view, from.bool_contents(), count, parsed);
    case Datatype::uint8:
      return narrow<uint8_t>(view, from.uint_contents(), count, parsed);
    case Datatype::uint16:
      return narrow<uint16_t>(view, from.uint_contents(), count, parsed);
    case Datatype::uint32:
      return narrow<uint32_t>(view, from.uint_contents(), count, parsed);
    case Datatype::uint64:
      return narrow<uint64_t>(view, from.uint64_contents(), count, parsed);
    case Datatype::int8:
      return narrow<int8_t>(view, from.int_contents(), count, parsed);
    case Datatype::int16:
      return narrow<int16_t>(view, from.int_contents(), count, parsed);
    case Datatype::int32:
      return narrow<int32_t>(view, from.int_contents(), count, parsed);
    case Datatype::int64:
      return narrow<int64_t>(view, from.int64_contents(), count, parsed);
    case Datatype::fp32:
      return narrow<float>(view, from.fp32_contents(), count, parsed);
    case Datatype::fp64:
      return narrow<double>(view, from.fp64_contents(), count, parsed);
    case Datatype::fp16:
      return bad("input '" + std::string(view.name) +
                 "': FP16 has no typed contents; send it in raw_input_contents");
    case Datatype::bytes:
      break;
  }
  if (static_cast<uint64_t>(from.bytes_contents_size()) != count)
    return bad("input '" + std::string(view.name) + "' has " +
               std::to_string(from.bytes_contents_size()) + " elements of data, its shape wants " +
               std::to_string(count));
  view.texts.assign(from.bytes_contents().begin(), from.bytes_contents().end());
  return {};
}

Result<void> read_outputs(const pb::ModelInferRequest& request, const Signature& signature,
                          Parsed& parsed) {
  for (const auto& output : request.outputs()) {
    const bool known = std::ranges::any_of(signature.outputs,
                                           [&](const auto& i) { return i.name == output.name(); });
    if (!known) return bad("the model has no output '" + output.name() + "'");
    if (std::ranges::find(parsed.outputs, output.name()) != parsed.outputs.end())
      return bad("output '" + output.name() + "' is requested twice");
    TRY_VOID(no_shared_memory(output.parameters(), output.name()));
    TRY(const auto classes, number_in(output.parameters(), "classification"));
    if (classes && *classes == 0)
      return bad("output '" + output.name() + "': classification wants a number of classes from 1");
    parsed.outputs.push_back(output.name());
    parsed.classes.push_back(classes.value_or(0));
  }
  return {};
}

}  // namespace

grpc::Status to_status(const Error& error) {
  grpc::StatusCode code = grpc::StatusCode::INTERNAL;
  switch (error.code()) {
    case Code::invalid_argument:
      code = grpc::StatusCode::INVALID_ARGUMENT;
      break;
    case Code::unauthenticated:
      code = grpc::StatusCode::UNAUTHENTICATED;
      break;
    case Code::denied:
      code = grpc::StatusCode::PERMISSION_DENIED;
      break;
    case Code::not_found:
      code = grpc::StatusCode::NOT_FOUND;
      break;
    case Code::conflict:
      code = grpc::StatusCode::ALREADY_EXISTS;
      break;
    case Code::precondition_failed:
      code = grpc::StatusCode::FAILED_PRECONDITION;
      break;
    case Code::too_large:
      code = grpc::StatusCode::RESOURCE_EXHAUSTED;
      break;
    case Code::unavailable:
      code = grpc::StatusCode::UNAVAILABLE;
      break;
    case Code::timed_out:
      code = grpc::StatusCode::DEADLINE_EXCEEDED;
      break;
    case Code::cancelled:
      code = grpc::StatusCode::CANCELLED;
      break;
    case Code::unsupported:
      code = grpc::StatusCode::UNIMPLEMENTED;
      break;
    case Code::internal:
      break;
  }
  return {code, error.message()};
}

Result<void> read(grpc::ByteBuffer& bytes, google::protobuf::MessageLite& into) {
  using Reader = grpc::SerializationTraits<google::protobuf::MessageLite>;
  const bool readable = Reader::Deserialize(&bytes, &into).ok();
  bytes.Clear();
  if (!readable) return fail(Code::invalid_argument, kUnreadable);
  return {};
}

void write(const google::protobuf::MessageLite& message, grpc::ByteBuffer& into) {
  using Writer = grpc::SerializationTraits<google::protobuf::MessageLite>;
  bool own = false;
  into.Clear();
  Writer::Serialize(message, &into, &own);
}

Result<Parsed> parse(const pb::ModelInferRequest& request, const Signature& signature) {
  Parsed parsed;
  const int count = request.inputs_size();
  TRY_VOID(check_count(static_cast<size_t>(count), signature));
  const bool raw = request.raw_input_contents_size() > 0;
  if (raw && request.raw_input_contents_size() != count)
    return bad("the request has " + std::to_string(request.raw_input_contents_size()) +
               " raw_input_contents for " + std::to_string(count) + " inputs");
  for (int i = 0; i < count; ++i) {
    const auto& input = request.inputs(i);
    TRY_VOID(no_shared_memory(input.parameters(), input.name()));
    TensorView view;
    view.name = input.name();
    TRY(view.type, parse_datatype(input.datatype()));
    if (input.shape_size() > 16) return bad("input '" + input.name() + "' has too many dimensions");
    view.shape.assign(input.shape().begin(), input.shape().end());
    TRY_VOID(check_input(view, signature));
    for (const TensorView& other : parsed.inputs) {
      if (other.name == view.name) return bad("input '" + input.name() + "' is there twice");
    }
    // MLServer sends contents without anything in them beside the raw ones.
    if (raw && input.contents().ByteSizeLong() > 0)
      return bad("input '" + input.name() +
                 "' has contents, and the request raw_input_contents: one or the other");
    if (raw) {
      TRY_VOID(fill_binary(view, request.raw_input_contents(i), parsed.owned));
    } else {
      TRY_VOID(fill_typed(view, input.contents(), parsed));
    }
    parsed.inputs.push_back(std::move(view));
  }
  TRY_VOID(read_outputs(request, signature, parsed));
  TRY(const auto priority, number_in(request.parameters(), "priority"));
  parsed.priority = static_cast<unsigned>(
      std::min<uint64_t>(priority.value_or(0), std::numeric_limits<int>::max()));
  if (const auto timing = request.parameters().find("timing");
      timing != request.parameters().end()) {
    if (timing->second.parameter_choice_case() != pb::InferParameter::kBoolParam)
      return bad("the parameter 'timing' must be true or false");
    parsed.timing = timing->second.bool_param();
  }
  TRY(const auto timeout, number_in(request.parameters(), "timeout"));
  // 0 is Triton's "none". More than an hour is as good.
  if (timeout && *timeout > 0)
    parsed.timeout_us = static_cast<int64_t>(std::min<uint64_t>(*timeout, 3'600'000'000));
  return parsed;
}

namespace {

void add(const Tensor& tensor, pb::ModelInferResponse& response) {
  auto& output = *response.add_outputs();
  output.set_name(tensor.name);
  output.set_datatype(std::string(to_string(tensor.type)));
  output.mutable_shape()->Assign(tensor.shape.begin(), tensor.shape.end());
  std::string& raw = *response.add_raw_output_contents();
  if (tensor.type != Datatype::bytes) {
    raw = as_text(tensor.data);
    return;
  }
  size_t size = 0;
  for (const std::string& text : tensor.texts) size += 4 + text.size();
  raw.reserve(size);
  for (const std::string& text : tensor.texts) {
    const auto length = static_cast<uint32_t>(text.size());
    raw.append(reinterpret_cast<const char*>(&length), 4);
    raw += text;
  }
}

}  // namespace

Result<void> write(const Loaded& loaded, const pb::ModelInferRequest& request, const Parsed& parsed,
                   const std::vector<Tensor>& outputs, pb::ModelInferResponse& response) {
  response.set_model_name(loaded.name);
  response.set_model_version(std::to_string(loaded.version));
  response.set_id(request.id());
  (*response.mutable_parameters())["model_digest"].set_string_param(loaded.digest);
  if (!loaded.run.empty())
    (*response.mutable_parameters())["model_run"].set_string_param(loaded.run);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const uint64_t classes = i < parsed.classes.size() ? parsed.classes[i] : 0;
    if (classes == 0) {
      add(outputs[i], response);
      continue;
    }
    TRY(const Tensor best, classify(outputs[i], classes));
    add(best, response);
  }
  return {};
}

}  // namespace holdfast::inference::grpc_door
