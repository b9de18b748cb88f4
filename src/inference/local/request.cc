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

struct Message {
  std::string registers, unregisters, model, version;
  std::string traceparent, tracestate;  // as the headers of W3C Trace Context
  uint64_t size = 0;
  // Of an infer request whose model is in memory.
  Route route;
  InferRequest parsed;
};

Result<void> read_request(const dom::element& root, const LocalClient& client, Message& message) {
  TRY(const int64_t version, parse_version(message.version));
  auto route = find_route(client.repository, message.model, version);
  if (!route && route.error().reason() == kEvictedReason) return {};
  if (!route) return std::unexpected(std::move(route).error());
  message.route = *std::move(route);
  TRY(message.parsed, read_infer(root, "", message.route.loaded->accepts, &client.regions));
  return {};
}

// Whole in one step: the document lasts only until this thread parses another. What went wrong
// leaves what was read before it.
Result<void> read(std::string_view text, const LocalClient& client, Message& message) {
  JsonDocument document;
  TRY(const dom::element root, document.parse(text));
  if (!root.is_object()) return fail(Code::invalid_argument, "a message is an object");
  const auto text_of = [&](const char* key, std::string& into) {
    std::string_view value;
    if (root[key].get(value) == simdjson::SUCCESS) into = std::string(value);
  };
  text_of("register", message.registers);
  text_of("unregister", message.unregisters);
  text_of("model_name", message.model);
  text_of("model_version", message.version);
  if (client.tracer) {
    text_of("traceparent", message.traceparent);
    text_of("tracestate", message.tracestate);
  }
  if (!message.registers.empty() && root["byte_size"].get(message.size) != simdjson::SUCCESS)
    return fail(Code::invalid_argument, "a region is registered with its byte_size");
  const int kinds = static_cast<int>(!message.registers.empty()) +
                    static_cast<int>(!message.unregisters.empty()) +
                    static_cast<int>(!message.model.empty());
  if (kinds != 1)
    return fail(Code::invalid_argument,
                "a message has one of 'register', 'unregister', 'model_name'");
  if (!message.model.empty()) return read_request(root, client, message);
  return {};
}

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

Task<Result<std::string>> infer(const LocalClient& client, Message& message, MonoTime start,
                                std::string_view text, const std::function<bool()>& gone,
                                RequestTrace* trace) {
  Repository& repository = client.repository;
  Route& route = message.route;
  InferRequest& parsed = message.parsed;
  if (!route.loaded) {
    CO_TRY(const int64_t version, parse_version(message.version));
    CO_TRY(route, co_await route_to(repository, message.model, version));
    CO_TRY(parsed, parse_infer(text, std::nullopt, route.loaded->accepts, &client.regions));
  }
  const LoadedPtr loaded = route.loaded;  // what was parsed refers to it
  std::vector<std::string> wanted;
  wanted.reserve(parsed.outputs.size());
  for (const RequestedOutput& output : parsed.outputs) wanted.push_back(output.name);
  RunOptions options;
  options.priority = parsed.priority;
  options.abandoned = gone;
  RunReport own;
  RunReport& report = trace ? *trace->report() : own;
  if (parsed.timing || trace) options.report = &report;
  options.id = parsed.id;
  if (trace) trace->routed(*loaded, parsed.id);
  if (parsed.timeout_us > 0)
    options.deadline =
        start + std::chrono::microseconds(std::min<uint64_t>(parsed.timeout_us, 3'600'000'000));
  if (loaded->pictures) {
    CO_TRY_VOID(co_await repository.pictures().run(*loaded->pictures, loaded->accepts,
                                                   options.deadline, parsed.inputs, parsed.owned));
  }
  CO_TRY(const std::vector<Tensor> outputs,
         co_await run_routed(repository, route, parsed.inputs, wanted, options));
  if (trace && route.loaded != loaded) trace->routed(*route.loaded, parsed.id);
  for (size_t i = 0; i < parsed.outputs.size(); ++i)
    CO_TRY_VOID(store(client.regions, parsed.outputs[i], outputs[i]));
  if (parsed.timing) parsed.stages = stages_until_now(report, start);
  CO_TRY(InferBody answer, write_infer(*route.loaded, parsed, outputs));
  if (answer.bytes.size() > kLocalMessage)
    co_return fail(Code::too_large,
                   "the answer has more than 64 KiB; have its outputs written to a region");
  co_return std::move(answer.bytes);
}

Task<Result<std::string>> perform(const LocalClient& client, Message& message, MonoTime start,
                                  std::string_view text, const std::vector<Fd>& passed,
                                  const std::function<bool()>& gone, RequestTrace* trace) {
  if (passed.size() != (message.registers.empty() ? 0 : 1))
    co_return fail(Code::invalid_argument,
                   "one descriptor comes with a region that is registered, and none otherwise");
  if (!message.registers.empty()) {
    CO_TRY_VOID(client.regions.add(message.registers, passed.front(), message.size));
    co_return "{\"registered\":" + json_text(message.registers) + "}";
  }
  if (!message.unregisters.empty()) {
    CO_TRY_VOID(client.regions.remove(message.unregisters));
    co_return "{\"unregistered\":" + json_text(message.unregisters) + "}";
  }
  co_return co_await infer(client, message, start, text, gone, trace);
}

Task<Result<std::string>> handle(const LocalClient& client, std::string_view text,
                                 const std::vector<Fd>& passed, const std::function<bool()>& gone,
                                 TracePtr& trace) {
  const MonoTime start = std::chrono::steady_clock::now();
  Message message;
  const Result<void> good = read(text, client, message);
  if (client.tracer && !message.model.empty())
    trace = client.tracer->begin(TracedDoor::local, "local infer", message.traceparent,
                                 message.tracestate, start);
  Result<std::string> done;
  if (good)
    done = co_await perform(client, message, start, text, passed, gone, trace.get());
  else
    done = std::unexpected(good.error());
  if (trace && done) trace->answered(1);
  if (trace && !done) trace->failed(0, done.error());
  co_return done;
}

}  // namespace

Task<LocalAnswer> answer_local(LocalClient client, std::string_view message, std::vector<Fd> passed,
                               std::function<bool()> gone) {
  LocalAnswer answer;
  auto done = co_await handle(client, message, passed, gone, answer.trace);
  if (done) {
    answer.text = *std::move(done);
    co_return answer;
  }
  const Error& error = done.error();
  const std::string_view code = error.reason().empty() ? to_string(error.code()) : error.reason();
  answer.text = "{\"error\":" + json_text(error.message().substr(0, 4096)) +
                ",\"code\":" + json_text(code) + ",\"kind\":" + json_text(to_string(error.code())) +
                "}";
  co_return answer;
}

}  // namespace holdfast::inference
