// One message of a local client, and its answer.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "inference/local/regions.h"
#include "inference/repository.h"
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

// `passed`: the descriptors that came with it; `gone` tells whether the client has left. What is
// wrong is said in the answer: {"error":…,"code":…}.
Task<LocalAnswer> answer_local(LocalClient client, std::string_view message, std::vector<Fd> passed,
                               std::function<bool()> gone);

}  // namespace holdfast::inference
