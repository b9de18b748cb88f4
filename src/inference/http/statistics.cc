// Triton's statistics extension, and /metrics for Prometheus.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "inference/http/metrics.h"
#include "inference/http/service.h"

namespace holdfast::inference {
namespace {

namespace json = boost::json;
using Answer = Task<Result<http::Response>>;

json::object duration(uint64_t count, uint64_t ns) {
  json::object out;
  out["count"] = count;
  out["ns"] = ns;
  return out;
}

json::object row_of(const Loaded& loaded) {
  const Totals of = loaded.statistics.read();
  json::object row;
  row["name"] = loaded.name;
  row["version"] = std::to_string(loaded.version);
  row["last_inference"] = loaded.statistics.last_ms.load();
  row["inference_count"] = of.successes;
  row["execution_count"] = of.executions;
  json::object times;
  times["success"] = duration(of.successes, of.success_ns);
  times["fail"] = duration(of.failed(), of.failure_ns);
  times["queue"] = duration(of.successes, of.queue_ns);
  times["compute_input"] = duration(of.successes, of.input_ns);
  times["compute_infer"] = duration(of.successes, of.infer_ns);
  times["compute_output"] = duration(of.successes, of.output_ns);
  times["cache_hit"] = duration(0, 0);
  times["cache_miss"] = duration(0, 0);
  row["inference_stats"] = std::move(times);
  json::array batches;
  for (size_t size = 1; size < of.batches.size(); ++size) {
    if (of.batches[size].runs == 0) continue;
    json::object batch;
    batch["batch_size"] = size;
    batch["compute_infer"] = duration(of.batches[size].runs, of.batches[size].ns);
    batches.push_back(std::move(batch));
  }
  json::object memory;
  memory["type"] = "CPU";
  memory["id"] = 0;
  memory["byte_size"] = loaded.bytes;
  row["memory_usage"] = json::array{std::move(memory)};
  row["batch_stats"] = std::move(batches);
  return row;
}

std::vector<LoadedPtr> loaded_models(const Repository& repository) {
  std::vector<LoadedPtr> out;
  for (const Entry& entry : repository.list()) {
    if (entry.state != "READY") continue;
    if (auto loaded = repository.find(entry.name, entry.version)) out.push_back(std::move(*loaded));
  }
  return out;
}

Answer statistics(const Repository& repository, http::Request& request) {
  const auto name = request.param("model"), version = request.param("version");
  json::array rows;
  for (const LoadedPtr& loaded : loaded_models(repository)) {
    if ((name.empty() || loaded->name == name) &&
        (version.empty() || std::to_string(loaded->version) == version))
      rows.push_back(row_of(*loaded));
  }
  if (rows.empty() && !name.empty())
    co_return fail(Code::not_found, "there is no loaded model '" + std::string(name) + "'");
  json::object out;
  out["model_stats"] = std::move(rows);
  co_return http::Response(200, "application/json", json::serialize(out));
}

Answer metrics(Repository& repository, const Tracer* tracer) {
  std::string page =
      write_metrics(loaded_models(repository)) + write_trials(repository.trials().list());
  for (const Observer* observer : repository.observers) page += observer->metrics();
  if (tracer) page += tracer->metrics();
  co_return http::Response(200, "text/plain; version=0.0.4; charset=utf-8", std::move(page));
}

}  // namespace

void mount_statistics(http::Router& router, Repository& repository, const ServeOptions& options) {
  using http::Role;
  const auto stats = [&repository](http::Request& request) {
    return statistics(repository, request);
  };
  router.add("GET", "/v2/models/{model}/stats", Role::anonymous, stats);
  router.add("GET", "/v2/models/{model}/versions/{version}/stats", Role::anonymous, stats);
  router.add("GET", "/v2/models/stats", Role::anonymous, stats);
  router.add("GET", "/metrics", Role::anonymous,
             [&repository, tracer = options.tracer](http::Request&) {
               return metrics(repository, tracer);
             });
}

}  // namespace holdfast::inference
