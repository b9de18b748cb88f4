#include "inference/traces/tracer.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <set>

#include "inference/testing.h"
#include "net/http/testing.h"

namespace holdfast::inference {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr std::string_view kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                           kNotRecorded = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

// A collector that takes what comes, or says what the test wants said.
class TracerTest : public RepositoryTest {
 protected:
  TracerTest() {
    router_.add("POST", "/v1/traces", http::Role::anonymous,
                [this](http::Request& request) { return take(request); });
    options_.endpoint = collector_.url("/v1/traces");
    options_.resource = {{"service.name", "test"}};
    options_.version = "1.2";
    options_.every = 10ms;
    options_.pause = 1ms;
  }
  Task<Result<http::Response>> take(http::Request& request) {
    CO_TRY(const std::string body, co_await read_all(*request.body, 1 << 20));
    const std::lock_guard lock(mutex_);
    types_.emplace(request.headers.get_or("Content-Type", ""));
    std::pair<unsigned, std::string> answer(200, "{}");
    if (!answers_.empty()) {
      answer = answers_.front();
      answers_.erase(answers_.begin());
    }
    if (answer.first == 200) bodies_.push_back(body);
    http::Response response(answer.first, "application/json", answer.second);
    if (!retry_after_.empty()) response.header("Retry-After", retry_after_);
    co_return response;
  }
  void open() { tracer_ = std::move(*Tracer::open(options_, clock_)); }
  bool begins(std::string_view parent = "", std::string_view state = "") {
    return tracer_->begin(TracedDoor::http, "/score", parent, state) != nullptr;
  }
  json::array spans() const {
    json::array out;
    for (const std::string& body : bodies_) {
      const json::value value = json::parse(body);
      for (const json::value& span :
           value.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans").as_array())
        out.push_back(span);
    }
    return out;
  }
  static std::string attribute(const json::value& span, std::string_view key) {
    for (const json::value& row : span.at("attributes").as_array()) {
      const json::object& value = row.at("value").as_object();
      if (row.at("key").as_string() == key)
        return json::value_to<std::string>(value.begin()->value());
    }
    return "";
  }
  uint64_t counted(const std::string& name) const {
    const std::string page = tracer_->metrics();
    const size_t at = page.find("\n" + name + " ");
    return parse_u64(
               page.substr(at + name.size() + 2, page.find('\n', at + 1) - at - name.size() - 2))
        .value_or(999'999);
  }
  void until(const std::string& name, uint64_t count) const {
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (counted(name) < count && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(1ms);
    EXPECT_EQ(counted(name), count) << name;
  }

  static constexpr const char *kSent = "holdfast_trace_spans_sent_total",
                              *kFull = "holdfast_trace_spans_dropped_total{reason=\"queue_full\"}",
                              *kNotSent = "holdfast_trace_spans_dropped_total{reason=\"not_sent\"}",
                              *kRejected =
                                  "holdfast_trace_spans_dropped_total{reason=\"rejected\"}";
  std::mutex mutex_;
  std::vector<std::pair<unsigned, std::string>> answers_;  // then 200
  std::string retry_after_;
  std::vector<std::string> bodies_;
  std::set<std::string> types_;
  http::Router router_;
  http::LoopbackServer collector_{router_};
  TraceOptions options_;
  FakeClock clock_;
  std::unique_ptr<Tracer> tracer_;
};

TEST_F(TracerTest, TheCallerDecidesElseTheShare) {
  options_.sample = 0;
  open();
  EXPECT_FALSE(begins());
  EXPECT_TRUE(begins(kParent));
  EXPECT_FALSE(begins("00-broken"));
  options_.sample = 100;
  open();
  EXPECT_TRUE(begins());
  EXPECT_FALSE(begins(kNotRecorded));
  options_.sample = 25;
  options_.queue = 100'000;
  open();
  int traced = 0;
  for (int i = 0; i < 4000; ++i) traced += begins() ? 1 : 0;
  EXPECT_NEAR(traced, 1000, 200) << "outside by chance once in 10^12";
}

TEST_F(TracerTest, ARequestIsATreeOfSpans) {
  ASSERT_TRUE(put(3, fake_model(1), "digits"));
  const LoadedPtr loaded = *repository_->find("digits");
  open();
  const MonoTime start = std::chrono::steady_clock::now() - 1h;
  {
    const TracePtr trace = tracer_->begin(TracedDoor::http, "/v2/models/{model}/infer", kParent,
                                          "vendor=\"x\"", start);
    trace->routed(*loaded, "r\"1");
    *trace->report() = {
        .timing = {.request = 9'000, .queue = 4'000, .input = 100, .infer = 3'000, .output = 200},
        .begun = start + 1us,
        .ran = start + 6us,
        .merged = 7,
        .answered = true};
    trace->answered(200);
  }
  until(kSent, 5);
  tracer_.reset();
  const json::array rows = spans();
  ASSERT_EQ(rows.size(), 5U);
  std::map<std::string, json::value> by_name;
  for (const json::value& row : rows) {
    EXPECT_EQ(row.at("traceId"), "4bf92f3577b34da6a3ce929d0e0e4736");
    EXPECT_EQ(row.at("traceState"), "vendor=\"x\"");
    by_name.emplace(json::value_to<std::string>(row.at("name")), row);
  }
  const json::value& request = by_name.at("POST /v2/models/{model}/infer");
  EXPECT_EQ(request.at("parentSpanId"), "00f067aa0ba902b7");
  EXPECT_EQ(request.at("kind"), 2);
  EXPECT_EQ(request.at("flags"), 0x301);
  EXPECT_FALSE(request.as_object().contains("status"));
  EXPECT_EQ(attribute(request, "http.route"), "/v2/models/{model}/infer");
  EXPECT_EQ(attribute(request, "http.response.status_code"), "200");
  EXPECT_EQ(attribute(request, "holdfast.model.name"), "digits");
  EXPECT_EQ(attribute(request, "holdfast.model.version"), "3");
  EXPECT_EQ(attribute(request, "holdfast.model.digest"), loaded->digest);
  EXPECT_EQ(attribute(request, "holdfast.request.id"), "r\"1");
  for (const char* name : {"receive", "queue", "batch"})
    EXPECT_EQ(by_name.at(name).at("parentSpanId"), request.at("spanId")) << name;
  EXPECT_EQ(by_name.at("infer").at("parentSpanId"), by_name.at("batch").at("spanId"));
  EXPECT_EQ(attribute(by_name.at("batch"), "holdfast.batch.requests"), "7");
  // Nanoseconds after the request's beginning.
  const auto at = [&](const char* name, const char* which) {
    const auto ns = [&](const json::value& row, const char* key) {
      return *parse_u64(json::value_to<std::string>(row.at(key)));
    };
    return ns(by_name.at(name), which) - ns(request, "startTimeUnixNano");
  };
  EXPECT_EQ(at("receive", "endTimeUnixNano"), 1'000U);
  EXPECT_EQ(at("queue", "startTimeUnixNano"), 1'000U);
  EXPECT_EQ(at("queue", "endTimeUnixNano"), 5'000U);
  EXPECT_EQ(at("batch", "startTimeUnixNano"), 6'000U);
  EXPECT_EQ(at("infer", "startTimeUnixNano"), 6'100U);
  EXPECT_EQ(at("infer", "endTimeUnixNano"), 9'100U);
  EXPECT_EQ(at("batch", "endTimeUnixNano"), 9'300U);
  EXPECT_EQ(types_, std::set<std::string>{"application/json"});
}

TEST_F(TracerTest, ItEndsWithItsLifeAndNotWithTheAnswer) {
  open();
  const MonoTime start = std::chrono::steady_clock::now();
  TracePtr trace = tracer_->begin(TracedDoor::http, "/score", kParent, "", start);
  trace->answered(200);
  const MonoTime answered = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() == answered) continue;
  trace.reset();
  until(kSent, 1);
  const auto ns = [row = spans().at(0)](const char* key) {
    return *parse_u64(json::value_to<std::string>(row.at(key)));
  };
  EXPECT_GT(ns("endTimeUnixNano") - ns("startTimeUnixNano"),
            static_cast<uint64_t>(std::chrono::nanoseconds(answered - start).count()));
}

TEST_F(TracerTest, WhoseFaultItIsDecidesTheStatus) {
  open();
  const auto end = [this](TracedDoor door, int status, Code code) {
    tracer_->begin(door, "x", kParent, "")->failed(status, Error(code, "why"));
  };
  end(TracedDoor::http, 400, Code::invalid_argument);
  end(TracedDoor::http, 504, Code::timed_out);
  end(TracedDoor::grpc, 3, Code::invalid_argument);
  end(TracedDoor::grpc, 14, Code::unavailable);
  end(TracedDoor::local, 0, Code::invalid_argument);
  end(TracedDoor::local, 0, Code::internal);
  begins(kParent);  // nobody was answered
  until(kSent, 7);
  tracer_.reset();
  const char* types[] = {"400",      "504", "INVALID_ARGUMENT", "UNAVAILABLE", "invalid_argument",
                         "internal", ""};
  const bool errors[] = {false, true, false, true, false, true, true};
  const json::array rows = spans();
  for (size_t i = 0; i < 7; ++i) {
    EXPECT_EQ(attribute(rows[i], "error.type"), types[i]);
    EXPECT_EQ(rows[i].as_object().contains("status"), errors[i]) << i;
    if (errors[i]) EXPECT_EQ(rows[i].at("status").at("code"), 2);
  }
}

TEST_F(TracerTest, WhatACollectorCannotTakeNowIsSentAgain) {
  answers_ = {{503, ""}, {429, ""}, {504, ""}};
  open();
  EXPECT_TRUE(begins(kParent));
  until(kSent, 1);
  EXPECT_EQ(bodies_.size(), 1U);
  EXPECT_EQ(counted(kNotSent), 0U);
}

TEST_F(TracerTest, ItIsTriedSixTimesAndThenDropped) {
  answers_ = {{502, ""}, {503, ""}, {503, ""}, {503, ""}, {503, ""}};
  open();
  EXPECT_TRUE(begins(kParent));
  until(kSent, 1);
  {
    const std::lock_guard lock(mutex_);
    for (int i = 0; i < 6; ++i) answers_.emplace_back(503, "");
  }
  EXPECT_TRUE(begins(kParent));
  until(kNotSent, 1);
  EXPECT_TRUE(begins(kParent));
  until(kSent, 2);
  EXPECT_EQ(bodies_.size(), 2U) << "the one between was dropped";
}

TEST_F(TracerTest, ACollectorSaysWhenToTryAgain) {
  answers_ = {{429, ""}};
  retry_after_ = "1";
  options_.pause = 1h;
  open();
  EXPECT_TRUE(begins(kParent));
  until(kSent, 1);
}

TEST_F(TracerTest, WhatItRefusesIsNot) {
  answers_ = {{400, ""}};
  open();
  EXPECT_TRUE(begins(kParent));
  until(kNotSent, 1);
  EXPECT_TRUE(begins(kParent));
  until(kSent, 1);
  EXPECT_EQ(bodies_.size(), 1U) << "the first was not sent again";
}

TEST_F(TracerTest, WhatItTakesInPartIsCountedInPart) {
  answers_ = {{200, R"({"partialSuccess":{"rejectedSpans":"2","errorMessage":"why"}})"}};
  options_.every = 1h;
  options_.batch = 3;
  open();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(begins(kParent));
  until(kSent, 1);
  EXPECT_EQ(counted(kRejected), 2U);
}

TEST_F(TracerTest, AFullQueueDropsAndCounts) {
  options_.queue = 10;
  options_.batch = 20;
  options_.every = 1h;
  open();
  for (int i = 0; i < 25; ++i) EXPECT_TRUE(begins(kParent));
  EXPECT_EQ(counted(kFull), 15U);
  tracer_.reset();
  EXPECT_EQ(spans().size(), 10U) << "an end sends what waits";
}

TEST_F(TracerTest, ADeadCollectorHoldsUpNoEnd) {
  options_.endpoint = "http://127.0.0.1:1/v1/traces";
  options_.pause = 1h;
  open();
  EXPECT_TRUE(begins(kParent));
  tracer_.reset();
  EXPECT_TRUE(bodies_.empty());
}

}  // namespace
}  // namespace holdfast::inference
