// One message of a local client, and its answer.
#pragma once

#include <simdjson.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inference/http/codec.h"
#include "inference/local/regions.h"
#include "inference/route.h"
#include "inference/traces/tracer.h"

namespace holdfast::inference {

inline constexpr size_t kLocalMessage = 64 << 10;  // bytes, each way

struct LocalClient {
  Repository& repository;
  Regions& regions;  // its own
  Tracer* tracer;    // null: nothing is traced
};

struct LocalAnswer {
  std::string text;
  TracePtr trace;  // is to end when the text is sent
};

class LocalRequest {
 public:
  // `passed`: the descriptors that came with the message; `gone` tells whether the client has left.
  // The message must stay.
  LocalRequest(LocalClient client, std::string_view message, std::vector<Fd> passed,
               std::function<bool()> gone);

  // What is wrong is said in the answer: {"error":…,"code":…}. The first is asked first.
  std::optional<LocalAnswer> at_once();  // nullopt: it would hold up this thread
  Task<LocalAnswer> late();

 private:
  struct Message {
    std::string registers, unregisters, model, version;
    std::string traceparent, tracestate;  // as the headers of W3C Trace Context
    uint64_t size = 0;
    // Of an infer request whose model is in memory.
    Route route;
    InferRequest parsed;
  };
  Result<void> read();
  Result<void> read_infer(const simdjson::dom::element& root);
  std::optional<Result<std::string>> perform();
  void prepare();
  Task<Result<std::string>> infer();
  Result<std::string> finish(const Outputs& outputs);
  LocalAnswer answer(Result<std::string> done);

  const LocalClient client_;
  const std::string_view text_;
  const std::vector<Fd> passed_;
  const std::function<bool()> gone_;
  const MonoTime start_ = std::chrono::steady_clock::now();
  Message message_;
  LoadedPtr loaded_;  // what was parsed refers to it
  TracePtr trace_;
  std::vector<std::string> wanted_;
  RunOptions options_;
  RunReport own_report_;
};

}  // namespace holdfast::inference
