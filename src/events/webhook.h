// The seam to a webhook: one request.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "events/subscription.h"
#include "net/http/client.h"
#include "net/task.h"

namespace holdfast::events {

struct Posting {
  std::string url, body;
  std::vector<std::pair<std::string, std::string>> headers;
};
struct Posted {
  unsigned status = 0;
  std::string body;
};
// An error where no answer came.
using Post = std::function<Task<Result<Posted>>(Posting posting)>;
// Over HTTP(S); waits half a minute for an answer. The client must outlive it.
Post http_post(http::Client& client);

// What an answer means for the event.
struct Outcome {
  bool done = false;   // it was taken
  bool final = false;  // it never will be
  std::string word;    // as Event Grid names it: "NotFound", "TimedOut", …
};
Outcome outcome_of(const Result<Posted>& answer);

// How long after its `attempts`th failure an event waits.
std::chrono::seconds retry_delay(int64_t attempts);

}  // namespace holdfast::events
