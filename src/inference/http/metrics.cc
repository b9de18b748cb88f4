#include "inference/http/metrics.h"

#include <unistd.h>

#include <charconv>
#include <functional>
#include <utility>

#include "base/files.h"

namespace holdfast::inference {
namespace {

struct Row {
  std::string labels;  // model="m",version="1"; a model's name needs no escapes
  const Loaded* loaded;
  Totals totals;
};

std::string seconds(uint64_t ns) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, static_cast<double>(ns) / 1e9).ptr;
  return {text, end};
}

class Page {
 public:
  void family(const std::string& name, const char* type, const char* help) {
    name_ = name;
    out += "# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
  }
  void sample(const std::string& labels, const std::string& value, const char* suffix = "") {
    out += name_ + suffix + (labels.empty() ? "" : "{" + labels + "}") + " " + value + "\n";
  }
  std::string out;

 private:
  std::string name_;
};

void histogram(Page& page, const Row& row, const Buckets& buckets, uint64_t sum_ns) {
  uint64_t below = 0;
  for (size_t i = 0; i < buckets.size(); ++i) {
    below += buckets[i];
    const std::string bound = i < kBounds.size() ? seconds(kBounds[i] * 1000ull) : "+Inf";
    page.sample(row.labels + ",le=\"" + bound + "\"", std::to_string(below), "_bucket");
  }
  page.sample(row.labels, seconds(sum_ns), "_sum");
  page.sample(row.labels, std::to_string(below), "_count");
}

void counters(Page& page, const std::vector<Row>& rows) {
  struct Counter {
    const char *name, *help;
    uint64_t (*value)(const Totals&);
  };
  constexpr Counter kCounters[] = {
      {"request_success", "Requests that were answered",
       [](const Totals& t) { return t.successes; }},
      {"count", "Inferences done; requests merged in one run count each",
       [](const Totals& t) { return t.successes; }},
      {"exec_count", "Runs of the engine", [](const Totals& t) { return t.executions; }},
      {"request_duration_us", "Whole time of answered requests, queue included",
       [](const Totals& t) { return t.success_ns / 1000; }},
      {"queue_duration_us", "Time that answered requests waited",
       [](const Totals& t) { return t.queue_ns / 1000; }},
      {"compute_input_duration_us", "Time to put inputs together",
       [](const Totals& t) { return t.input_ns / 1000; }},
      {"compute_infer_duration_us", "Time in the engine",
       [](const Totals& t) { return t.infer_ns / 1000; }},
      {"compute_output_duration_us", "Time to take outputs apart",
       [](const Totals& t) { return t.output_ns / 1000; }}};
  for (const Counter& counter : kCounters) {
    page.family(std::string("nv_inference_") + counter.name, "counter", counter.help);
    for (const Row& row : rows) page.sample(row.labels, std::to_string(counter.value(row.totals)));
  }
  page.family("nv_inference_request_failure", "counter", "Requests that failed, by reason");
  for (const Row& row : rows) {
    for (size_t i = 0; i < kFailures; ++i) {
      page.sample(
          row.labels + ",reason=\"" + std::string(to_string(static_cast<Failure>(i))) + "\"",
          std::to_string(row.totals.failures[i]));
    }
  }
}

void gauges(Page& page, const std::vector<Row>& rows) {
  page.family("nv_inference_pending_request_count", "gauge", "Requests that wait to be run");
  for (const Row& row : rows)
    page.sample(row.labels, std::to_string(row.loaded->statistics.pending.load()));
  page.family("nv_model_load_duration_secs", "gauge", "Time to load and warm up");
  for (const Row& row : rows)
    page.sample(row.labels, seconds(static_cast<uint64_t>(row.loaded->load_ns)));
  page.family("holdfast_model_memory_bytes", "gauge", "Memory that the model is charged with");
  for (const Row& row : rows) page.sample(row.labels, std::to_string(row.loaded->bytes));
  page.family("holdfast_inference_breaker_open", "gauge", "1: not run for now, its runs failed");
  for (const Row& row : rows) page.sample(row.labels, row.loaded->breaker.open() ? "1" : "0");
  page.family("holdfast_inference_breaker_opened_total", "counter", "Times that it came to that");
  for (const Row& row : rows)
    page.sample(row.labels, std::to_string(row.loaded->breaker.times_opened()));
  page.family("holdfast_inference_longest_run_seconds", "gauge",
              "Time since the oldest run under way began");
  for (const Row& row : rows) {
    const int64_t ns = row.loaded->running ? row.loaded->running->longest_ns() : 0;
    page.sample(row.labels, seconds(static_cast<uint64_t>(ns)));
  }
  const auto page_size = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  if (const auto text = read_file("/proc/self/statm", 256)) {
    const auto words = split(*text, ' ');
    const auto resident = words.size() > 1 ? parse_u64(words[1]) : std::nullopt;
    page.family("process_resident_memory_bytes", "gauge", "Memory of this process");
    page.sample("", std::to_string(resident.value_or(0) * page_size));
  }
}

}  // namespace

std::string write_metrics(const std::vector<LoadedPtr>& models) {
  std::vector<Row> rows;
  rows.reserve(models.size());
  for (const LoadedPtr& loaded : models) {
    rows.push_back(
        {"model=\"" + loaded->name + "\",version=\"" + std::to_string(loaded->version) + "\"",
         loaded.get(), loaded->statistics.read()});
  }
  Page page;
  counters(page, rows);
  gauges(page, rows);
  const std::string base = "holdfast_inference_";
  page.family(base + "request_duration_seconds", "histogram", "Whole time of answered requests");
  for (const Row& row : rows) histogram(page, row, row.totals.request, row.totals.success_ns);
  page.family(base + "queue_duration_seconds", "histogram", "Time that answered requests waited");
  for (const Row& row : rows) histogram(page, row, row.totals.queue, row.totals.queue_ns);
  page.family(base + "compute_infer_duration_seconds", "histogram", "Time in the engine");
  for (const Row& row : rows) histogram(page, row, row.totals.infer, row.totals.infer_ns);
  return page.out;
}

}  // namespace holdfast::inference
