#include "inference/local/request.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "inference/http/codec.h"
#include "inference/http/tensor_input.h"
#include "inference/route.h"

namespace holdfast::inference {
namespace {

namespace dom = simdjson::dom;

// Into the client's memory, where it says so.
Result<void> store(Regions& regions, RequestedOutput& wanted, const Tensor& tensor) {
  if (wanted.region.empty()) return {};
  wanted.stored = tensor.data.size();
  for (const std::string& text : tensor.texts) wanted.stored += 4 + text.size();
  if (wanted.stored > wanted.room)
    return fail(Code::too_large, "output '" + wanted.name + "' needs " +
                                     std::to_string(wanted.stored) + " bytes, its region has " +
                                     std::to_string(wanted.room) + " for it");
  TRY(std::byte * at, regions.write(wanted.region, wanted.offset, wanted.room));
  if (!tensor.data.empty()) std::memcpy(at, tensor.data.data(), tensor.data.size());
  for (const std::string& text : tensor.texts) {
    const auto length = static_cast<uint32_t>(text.size());
    std::memcpy(at, &length, 4);
    std::memcpy(at + 4, text.data(), text.size());
    at += 4 + text.size();
  }
  return {};
}

}  // namespace

LocalRequest::LocalRequest(LocalClient client, std::string_view message, std::vector<Fd> passed,
                           std::function<bool()> gone)
    : client_(client), text_(message), passed_(std::move(passed)), gone_(std::move(gone)) {}

Result<void> LocalRequest::read_infer(const dom::element& root) {
  TRY(const int64_t version, parse_version(message_.version));
  auto route = find_route(client_.repository, message_.model, version);
  if (!route && route.error().reason() == kEvictedReason) return {};
  if (!route) return std::unexpected(std::move(route).error());
  message_.route = *std::move(route);
  TRY(message_.parsed,
      inference::read_infer(root, "", message_.route.loaded->accepts, &client_.regions));
  return {};
}

// Whole in one step: the document lasts only until this thread parses another. What went wrong
// leaves what was read before it.
Result<void> LocalRequest::read() {
  JsonDocument document;
  TRY(const dom::element root, document.parse(text_));
  if (!root.is_object()) return fail(Code::invalid_argument, "a message is an object");
  const auto text_of = [&](const char* key, std::string& into) {
    std::string_view value;
    if (root[key].get(value) == simdjson::SUCCESS) into = std::string(value);
  };
  text_of("register", message_.registers);
  text_of("unregister", message_.unregisters);
  text_of("model_name", message_.model);
  text_of("model_version", message_.version);
  if (client_.tracer) {
    text_of("traceparent", message_.traceparent);
    text_of("tracestate", message_.tracestate);
  }
  if (!message_.registers.empty() && root["byte_size"].get(message_.size) != simdjson::SUCCESS)
    return fail(Code::invalid_argument, "a region is registered with its byte_size");
  const int kinds = static_cast<int>(!message_.registers.empty()) +
                    static_cast<int>(!message_.unregisters.empty()) +
                    static_cast<int>(!message_.model.empty());
  if (kinds != 1)
    return fail(Code::invalid_argument,
                "a message has one of 'register', 'unregister', 'model_name'");
  if (!message_.model.empty()) return read_infer(root);
  return {};
}

void LocalRequest::prepare() {
  const InferRequest& parsed = message_.parsed;
  loaded_ = message_.route.loaded;
  wanted_.clear();
  wanted_.reserve(parsed.outputs.size());
  for (const RequestedOutput& output : parsed.outputs) wanted_.push_back(output.name);
  options_.priority = parsed.priority;
  options_.abandoned = gone_;
  if (parsed.timing || trace_) options_.report = trace_ ? trace_->report() : &own_report_;
  options_.id = parsed.id;
  if (trace_) trace_->routed(*loaded_, parsed.id);
  if (parsed.timeout_us > 0)
    options_.deadline =
        start_ + std::chrono::microseconds(std::min<uint64_t>(parsed.timeout_us, 3'600'000'000));
}

Result<std::string> LocalRequest::finish(const Outputs& outputs) {
  const Route& route = message_.route;
  InferRequest& parsed = message_.parsed;
  if (trace_ && route.loaded != loaded_) trace_->routed(*route.loaded, parsed.id);
  for (size_t i = 0; i < parsed.outputs.size(); ++i)
    TRY_VOID(store(client_.regions, parsed.outputs[i], outputs[i]));
  if (parsed.timing) parsed.stages = stages_until_now(*options_.report, start_);
  TRY(InferBody body, write_infer(*route.loaded, parsed, outputs));
  if (body.bytes.size() > kLocalMessage)
    return fail(Code::too_large,
                "the answer has more than 64 KiB; have its outputs written to a region");
  return std::move(body.bytes);
}

std::optional<Result<std::string>> LocalRequest::perform() {
  const Result<void> good = read();
  if (client_.tracer && !message_.model.empty())
    trace_ = client_.tracer->begin(TracedDoor::local, "local infer", message_.traceparent,
                                   message_.tracestate, start_);
  if (!good) return std::unexpected(good.error());
  if (passed_.size() != (message_.registers.empty() ? 0 : 1))
    return fail(Code::invalid_argument,
                "one descriptor comes with a region that is registered, and none otherwise");
  if (!message_.registers.empty()) {
    TRY_VOID(client_.regions.add(message_.registers, passed_.front(), message_.size));
    return "{\"registered\":" + json_text(message_.registers) + "}";
  }
  if (!message_.unregisters.empty()) {
    TRY_VOID(client_.regions.remove(message_.unregisters));
    return "{\"unregistered\":" + json_text(message_.unregisters) + "}";
  }
  if (!message_.route.loaded || message_.route.loaded->pictures) return std::nullopt;
  prepare();
  const auto outputs =
      run_at_once(client_.repository, message_.route, message_.parsed.inputs, wanted_, options_);
  if (!outputs) return std::nullopt;
  if (!*outputs) return std::unexpected(outputs->error());
  return finish(**outputs);
}

Task<Result<std::string>> LocalRequest::infer() {
  Repository& repository = client_.repository;
  Route& route = message_.route;
  InferRequest& parsed = message_.parsed;
  if (!route.loaded) {
    CO_TRY(const int64_t version, parse_version(message_.version));
    CO_TRY(route, co_await route_to(repository, message_.model, version));
    CO_TRY(parsed, parse_infer(text_, std::nullopt, route.loaded->accepts, &client_.regions));
  }
  prepare();
  if (loaded_->pictures) {
    CO_TRY_VOID(co_await repository.pictures().run(*loaded_->pictures, loaded_->accepts,
                                                   options_.deadline, parsed.inputs, parsed.owned));
  }
  CO_TRY(const Outputs outputs,
         co_await run_routed(repository, route, parsed.inputs, wanted_, options_));
  co_return finish(outputs);
}

std::optional<LocalAnswer> LocalRequest::at_once() {
  auto done = perform();
  if (!done) return std::nullopt;
  return answer(*std::move(done));
}

Task<LocalAnswer> LocalRequest::late() {
  auto done = co_await infer();
  co_return answer(std::move(done));
}

LocalAnswer LocalRequest::answer(Result<std::string> done) {
  if (trace_ && done) trace_->answered(1);
  if (trace_ && !done) trace_->failed(0, done.error());
  LocalAnswer answer;
  answer.trace = std::move(trace_);
  if (done) {
    answer.text = *std::move(done);
    return answer;
  }
  const Error& error = done.error();
  const std::string_view code = error.reason().empty() ? to_string(error.code()) : error.reason();
  answer.text = "{\"error\":" + json_text(error.message().substr(0, 4096)) +
                ",\"code\":" + json_text(code) + ",\"kind\":" + json_text(to_string(error.code())) +
                "}";
  return answer;
}

}  // namespace holdfast::inference
