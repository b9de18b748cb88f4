#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <cmath>
#include <cstdlib>
#include <map>
#include <thread>

#include "inference/measure/server.h"
#include "net/runtime.h"

namespace holdfast::inference {
namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

constexpr const char* kStages[] = {"success", "queue", "compute_input", "compute_infer",
                                   "compute_output"};
constexpr const char* kNames[] = {"request", "queue", "input", "infer", "output"};

// A histogram of /metrics: upper bound in seconds → requests up to it.
using Histogram = std::map<double, double>;

struct Reading {
  std::map<std::string, std::pair<double, double>> stages;  // count, ns
  std::map<std::string, Histogram> histograms;              // by stage
};

Histogram histogram_in(std::string_view page, const std::string& family, const std::string& name,
                       const std::string& version) {
  Histogram out;
  const std::string begin = family + "_bucket{model=\"" + name + "\",version=\"" + version + "\"";
  for (const std::string_view line : split(page, '\n')) {
    if (!line.starts_with(begin)) continue;
    const size_t at = line.find("le=\""), end = line.rfind(' ');
    if (at == std::string_view::npos || end == std::string_view::npos) continue;
    const std::string bound(line.substr(at + 4));
    const double le = bound.starts_with("+Inf") ? INFINITY : std::strtod(bound.c_str(), nullptr);
    out[le] = std::strtod(std::string(line.substr(end)).c_str(), nullptr);
  }
  return out;
}

Result<Reading> reading_of(const std::string& statistics, std::string_view metrics,
                           const std::string& name, const std::string& version) try {
  Reading out;
  const json::value value = json::parse(statistics);
  const json::object& stats =
      value.at("model_stats").as_array().at(0).at("inference_stats").as_object();
  for (const char* stage : kStages)
    out.stages[stage] = {json::value_to<double>(stats.at(stage).at("count")),
                         json::value_to<double>(stats.at(stage).at("ns"))};
  const std::pair<const char*, const char*> families[] = {
      {"success", "request"}, {"queue", "queue"}, {"compute_infer", "compute_infer"}};
  for (const auto& [stage, family] : families)
    out.histograms[stage] = histogram_in(
        metrics, "holdfast_inference_" + std::string(family) + "_duration_seconds", name, version);
  return out;
} catch (const std::exception&) {
  return fail(Code::internal, "the server's statistics cannot be read");
}

Task<Result<Reading>> read(ServerAccess access, std::string base, std::string url, std::string name,
                           std::string version) {
  http::Client client = client_of(access);
  http::ClientRequest stats = request_to(access, "GET", url + "/stats"),
                      metrics = request_to(access, "GET", base + "/metrics");
  CO_TRY(const auto first, co_await client.fetch(std::move(stats)));
  CO_TRY(const auto second, co_await client.fetch(std::move(metrics)));
  if (first.status != 200)
    co_return fail(first.status == 404 ? Code::not_found : Code::internal,
                   "the server has no statistics of '" + name + "'");
  co_return reading_of(first.body, second.body, name, version);
}

// Between the bounds of the bucket in which it lies, as if its requests were evenly in it.
double quantile(const Histogram& before, const Histogram& after, double q) {
  std::vector<std::pair<double, double>> counts;
  for (const auto& [le, count] : after) {
    const auto old = before.find(le);
    counts.emplace_back(le, count - (old == before.end() ? 0 : old->second));
  }
  if (counts.empty() || counts.back().second <= 0) return 0;
  const double wanted = q * counts.back().second;
  double low = 0, below = 0;
  for (const auto& [le, count] : counts) {
    if (count >= wanted)
      return 1e6 * (std::isinf(le) ? low : low + (le - low) * (wanted - below) / (count - below));
    low = le;
    below = count;
  }
  return 1e6 * low;
}

struct Caller {
  std::vector<double> times;  // µs
  uint64_t errors = 0;
  std::string error;
};

// The status of an answer that is read to its end and not kept.
Task<Result<unsigned>> ask(http::Client& client, http::ClientRequest request,
                           std::span<std::byte> piece) {
  CO_TRY(const http::ClientResponse answer, co_await client.send(std::move(request)));
  for (size_t count = 1; count > 0;) {
    CO_TRY(count, co_await answer.body->read(piece));
  }
  co_return answer.status;
}

Task<void> call(const ServerAccess& access, const std::string& url,
                const std::vector<Sample>& samples, Clock::time_point end, Caller& caller) {
  http::Client client = client_of(access);
  std::vector<http::ClientRequest> requests;
  requests.reserve(samples.size());
  for (const Sample& sample : samples)
    requests.push_back(infer_request(access, url, views_of(sample)));
  std::vector<std::byte> piece(64 << 10);
  for (size_t i = 0; Clock::now() < end && caller.errors < 100; ++i) {
    const http::ClientRequest& wanted = requests[i % requests.size()];
    http::ClientRequest request(wanted.method, wanted.url);
    request.headers = wanted.headers;
    request.lent = as_bytes(wanted.body);
    const auto start = Clock::now();
    const auto status = co_await ask(client, std::move(request), piece);
    const auto took = Clock::now() - start;
    if (status && *status == 200) {
      caller.times.push_back(std::chrono::duration<double, std::micro>(took).count());
      continue;
    }
    ++caller.errors;
    caller.error = status ? "status " + std::to_string(*status) : status.error().message();
  }
}

Stage client_stage(std::vector<double>& times) {
  std::ranges::sort(times);
  Stage out{.name = "client", .count = times.size()};
  if (times.empty()) return out;
  for (const double time : times) out.mean_us += time / static_cast<double>(times.size());
  const auto at = [&](size_t percent) { return times[(times.size() - 1) * percent / 100]; };
  out.p50_us = at(50);
  out.p90_us = at(90);
  out.p99_us = at(99);
  return out;
}

}  // namespace

Result<BenchFigures> bench(const ServerAccess& access, const std::string& base,
                           const std::string& url, const std::string& name,
                           const std::string& version, const std::vector<Sample>& samples,
                           const BenchOptions& options) {
  TRY(const Reading before, run_task(read(access, base, url, name, version)));
  const auto start = Clock::now();
  const auto end = start + options.duration;
  std::vector<Caller> callers(options.connections);
  std::vector<std::thread> threads;
  threads.reserve(callers.size());
  for (Caller& caller : callers)
    threads.emplace_back([&] { run_task(call(access, url, samples, end, caller)); });
  for (auto now = start; now < end; now = Clock::now()) {
    if (options.progress)
      options.progress(std::chrono::duration<double>(now - start) / options.duration);
    std::this_thread::sleep_until(std::min(end, now + std::chrono::milliseconds(100)));
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  TRY(const Reading after, run_task(read(access, base, url, name, version)));
  BenchFigures out;
  std::vector<double> times;
  for (const Caller& caller : callers) {
    times.insert(times.end(), caller.times.begin(), caller.times.end());
    out.errors += caller.errors;
    if (!caller.error.empty()) out.error = caller.error;
  }
  out.rate = static_cast<double>(times.size()) / seconds;
  out.stages.push_back(client_stage(times));
  for (size_t i = 0; i < std::size(kStages); ++i) {
    const auto& [old_count, old_ns] = before.stages.at(kStages[i]);
    const auto& [count, ns] = after.stages.at(kStages[i]);
    Stage stage{.name = kNames[i], .count = static_cast<uint64_t>(count - old_count)};
    if (count > old_count) stage.mean_us = (ns - old_ns) / (count - old_count) / 1000;
    const auto histogram = after.histograms.find(kStages[i]);
    if (histogram != after.histograms.end()) {
      const Histogram& first = before.histograms.at(kStages[i]);
      stage.p50_us = quantile(first, histogram->second, 0.5);
      stage.p90_us = quantile(first, histogram->second, 0.9);
      stage.p99_us = quantile(first, histogram->second, 0.99);
    }
    out.stages.push_back(std::move(stage));
  }
  return out;
}

}  // namespace holdfast::inference
