#include "events/webhook.h"

#include <algorithm>
#include <iterator>

namespace holdfast::events {
namespace {

constexpr uint64_t kAnswerLimit = 64 << 10;

Task<Result<Posted>> post(http::Client* client, Posting posting) {
  http::ClientRequest request("POST", std::move(posting.url));
  for (auto& [name, value] : posting.headers) request.headers.add(name, std::move(value));
  request.body = std::move(posting.body);
  CO_TRY(http::Client::Whole whole, co_await client->fetch(std::move(request), kAnswerLimit));
  Posted posted;
  posted.status = whole.status;
  posted.body = std::move(whole.body);
  co_return posted;
}

}  // namespace

Post http_post(http::Client& client) {
  return [client = &client](Posting posting) { return post(client, std::move(posting)); };
}

Outcome outcome_of(const Result<Posted>& answer) {
  Outcome out;
  if (!answer) {
    out.word = answer.error().code() == Code::timed_out ? "TimedOut" : "Unreachable";
    return out;
  }
  const unsigned status = answer->status;
  out.done = status >= 200 && status <= 204;
  out.final = status == 400 || status == 401 || status == 413;
  switch (status) {
    case 400:
      out.word = "BadRequest";
      break;
    case 401:
      out.word = "Unauthorized";
      break;
    case 403:
      out.word = "Forbidden";
      break;
    case 404:
      out.word = "NotFound";
      break;
    case 408:
      out.word = "TimedOut";
      break;
    case 413:
      out.word = "PayloadTooLarge";
      break;
    case 429:
    case 503:
      out.word = "Busy";
      break;
    default:
      out.word = out.done ? "Delivered" : "HTTP " + std::to_string(status);
  }
  return out;
}

std::chrono::seconds retry_delay(int64_t attempts) {
  // Event Grid's schedule.
  constexpr int64_t seconds[] = {10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200};
  const int64_t last = std::ssize(seconds) - 1;
  return std::chrono::seconds(seconds[std::clamp<int64_t>(attempts - 1, 0, last)]);
}

}  // namespace holdfast::events
