#include "inference/traces/exporter.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>

#include "base/log.h"
#include "net/http/address.h"
#include "net/runtime.h"

namespace holdfast::inference {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

constexpr unsigned kTries = 6;  // with the waits between them about half a minute
constexpr milliseconds kLongestPause{30'000};
constexpr std::chrono::seconds kMostPatience{300};  // with a collector that asks for it

// {"partialSuccess":{"rejectedSpans":"3",…}}: 64-bit numbers are texts in this JSON, or numbers.
uint64_t rejected_in(const std::string& body) {
  boost::system::error_code error;
  const json::value value = json::parse(body, error);
  if (error || !value.is_object()) return 0;
  const json::value* partial = value.as_object().if_contains("partialSuccess");
  if (partial == nullptr || !partial->is_object()) return 0;
  const json::value* count = partial->as_object().if_contains("rejectedSpans");
  if (count == nullptr) return 0;
  if (count->is_string()) return parse_u64(std::string_view(count->as_string())).value_or(0);
  return count->is_int64() ? static_cast<uint64_t>(std::max<int64_t>(0, count->as_int64())) : 0;
}

uint64_t spans_of(const std::vector<TracedRequest>& requests) {
  uint64_t spans = 0;
  for (const TracedRequest& request : requests) spans += inference::spans_of(request);
  return spans;
}

std::string family(const std::string& name, const char* help, const std::string& samples) {
  return "# HELP " + name + " " + help + "\n# TYPE " + name + " counter\n" + samples;
}

}  // namespace

SpanExporter::SpanExporter(const TraceOptions& options, std::shared_ptr<TlsContext> tls)
    : options_(options),
      tls_(std::move(tls)),
      requests_({.weigh = inference::spans_of,
                 .most = options_.queue,
                 .due = options_.batch,
                 .every = options_.every,
                 .batch = options_.batch},
                [this] { run_task(loop()); }) {}

void SpanExporter::add(TracedRequest request) noexcept {
  const uint64_t spans = inference::spans_of(request);
  if (!requests_.offer([&request] { return std::move(request); })) queue_full_ += spans;
}

// It blocks between its sends: nothing else runs on this thread.
Task<void> SpanExporter::loop() {
  http::ClientOptions options;
  options.tls = tls_;
  options.connections_per_host = 1;
  options.connect_timeout = options_.timeout;
  http::Client client(std::move(options));
  bool lost = false;  // at the end the first failure is the last try
  while (const auto taken = requests_.take()) {
    if (taken->empty()) continue;
    if (lost)
      not_sent_ += spans_of(*taken);
    else
      co_await deliver(client, *taken);
    lost = failing_ && requests_.ending();
  }
}

Task<void> SpanExporter::deliver(http::Client& client, const std::vector<TracedRequest>& requests) {
  const uint64_t spans = spans_of(requests);
  const std::string body = export_body(requests, options_.resource, options_.version);
  milliseconds pause = options_.pause;
  bool ending = requests_.ending();
  for (unsigned tried = 1;; ++tried) {
    const Sent sent = co_await send(client, body);
    if (sent.what == Sent::What::done) {
      failing_ = false;
      const uint64_t refused = std::min(spans, sent.rejected);
      rejected_ += refused;
      sent_ += spans - refused;
      co_return;
    }
    tell(sent.why);
    if (sent.what == Sent::What::refused || ending || tried == kTries) break;
    ending = requests_.pause(sent.wait.count() > 0 ? sent.wait : std::min(pause, kLongestPause));
    pause *= 2;
  }
  not_sent_ += spans;
}

Task<SpanExporter::Sent> SpanExporter::send(http::Client& client, const std::string& body) {
  http::ClientRequest request("POST", options_.endpoint);
  request.headers.set("Content-Type", "application/json");
  for (const auto& [name, value] : options_.headers) request.headers.set(name, value);
  request.body = body;
  request.timeout = options_.timeout;
  Sent sent;
  const auto answer = co_await client.fetch(std::move(request), 1 << 20);
  if (!answer) {
    sent.what = Sent::What::again;
    sent.why = answer.error().message();
    co_return sent;
  }
  if (answer->status / 100 == 2) {
    sent.rejected = rejected_in(answer->body);
    co_return sent;
  }
  sent.why = "the collector answered with status " + std::to_string(answer->status);
  const bool again = answer->status == 429 || (answer->status >= 502 && answer->status <= 504);
  sent.what = again ? Sent::What::again : Sent::What::refused;
  if (const auto after = answer->headers.get("Retry-After"))
    sent.wait = std::chrono::seconds(
        std::min<uint64_t>(parse_u64(trim(*after)).value_or(0), kMostPatience.count()));
  co_return sent;
}

void SpanExporter::tell(const std::string& why) {
  if (!failing_) log::warning("traces", "spans are not sent", {{"error", why}});
  failing_ = true;
}

std::string SpanExporter::metrics() const {
  const std::string dropped = "holdfast_trace_spans_dropped_total";
  const auto row = [&dropped](const char* reason, uint64_t count) {
    return dropped + "{reason=\"" + reason + "\"} " + std::to_string(count) + "\n";
  };
  const std::string name = "holdfast_trace_spans_sent_total";
  return family(name, "Spans that a collector took", name + " " + std::to_string(sent_) + "\n") +
         family(dropped, "Spans that were lost: no room, no collector, or it refused them",
                row("queue_full", queue_full_) + row("not_sent", not_sent_) +
                    row("rejected", rejected_));
}

}  // namespace holdfast::inference
