#include "inference/grpc/models.h"

#include "inference/extensions.h"
#include "inference/input.h"
#include "inference/loaded.h"
#include "inference/pipeline.h"

namespace holdfast::inference::grpc_door {
namespace {

// Loaded where it made room for others.
template <class Request>
Task<Result<LoadedPtr>> model_of(Door& door, const Request& request) {
  CO_TRY(const int64_t version, parse_version(request.version()));
  co_return co_await door.repository.acquire(request.name(), version);
}

pb::DataType config_type(Datatype type) {
  switch (type) {
    case Datatype::boolean:
      return pb::TYPE_BOOL;
    case Datatype::uint8:
      return pb::TYPE_UINT8;
    case Datatype::uint16:
      return pb::TYPE_UINT16;
    case Datatype::uint32:
      return pb::TYPE_UINT32;
    case Datatype::uint64:
      return pb::TYPE_UINT64;
    case Datatype::int8:
      return pb::TYPE_INT8;
    case Datatype::int16:
      return pb::TYPE_INT16;
    case Datatype::int32:
      return pb::TYPE_INT32;
    case Datatype::int64:
      return pb::TYPE_INT64;
    case Datatype::fp16:
      return pb::TYPE_FP16;
    case Datatype::fp32:
      return pb::TYPE_FP32;
    case Datatype::fp64:
      return pb::TYPE_FP64;
    case Datatype::bytes:
      return pb::TYPE_STRING;
  }
  return pb::TYPE_INVALID;
}

void describe(const TensorInfo& info, pb::ModelMetadataResponse::TensorMetadata& tensor) {
  tensor.set_name(info.name);
  tensor.set_datatype(std::string(to_string(info.type)));
  tensor.mutable_shape()->Assign(info.shape.begin(), info.shape.end());
}

template <class Configured>
void configure(const TensorInfo& info, Configured& tensor) {
  tensor.set_name(info.name);
  tensor.set_data_type(config_type(info.type));
  tensor.mutable_dims()->Assign(info.shape.begin(), info.shape.end());
}

void configure(const PipelineSpec& spec, pb::ModelEnsembling& ensemble) {
  for (const PipelineSpec::Step& from : spec.steps) {
    pb::ModelEnsembling::Step& step = *ensemble.add_step();
    step.set_model_name(from.model);
    step.set_model_version(-1);
    for (const auto& [port, tensor] : from.inputs) (*step.mutable_input_map())[port] = tensor;
    for (const auto& [port, tensor] : from.outputs) (*step.mutable_output_map())[port] = tensor;
  }
}

void set(pb::StatisticDuration& duration, uint64_t count, uint64_t ns) {
  duration.set_count(count);
  duration.set_ns(ns);
}

void report(const Loaded& loaded, pb::ModelStatistics& row) {
  const Totals of = loaded.statistics.read();
  row.set_name(loaded.name);
  row.set_version(std::to_string(loaded.version));
  row.set_last_inference(loaded.statistics.last_ms.load());
  row.set_inference_count(of.successes);
  row.set_execution_count(of.executions);
  pb::InferStatistics& times = *row.mutable_inference_stats();
  set(*times.mutable_success(), of.successes, of.success_ns);
  set(*times.mutable_fail(), of.failed(), of.failure_ns);
  set(*times.mutable_queue(), of.successes, of.queue_ns);
  set(*times.mutable_compute_input(), of.successes, of.input_ns);
  set(*times.mutable_compute_infer(), of.successes, of.infer_ns);
  set(*times.mutable_compute_output(), of.successes, of.output_ns);
  set(*times.mutable_cache_hit(), 0, 0);
  set(*times.mutable_cache_miss(), 0, 0);
  for (size_t size = 1; size < of.batches.size(); ++size) {
    if (of.batches[size].runs == 0) continue;
    pb::InferBatchStatistics& batch = *row.add_batch_stats();
    batch.set_batch_size(size);
    set(*batch.mutable_compute_infer(), of.batches[size].runs, of.batches[size].ns);
  }
}

}  // namespace

Result<void> model_ready(Door& door, const pb::ModelReadyRequest& request,
                         pb::ModelReadyResponse& response) {
  // A model that is not there is not ready; only a version that is none is an error. An evicted one
  // answers when it is asked, and a probe does not load it.
  TRY(const int64_t version, parse_version(request.version()));
  const auto loaded = door.repository.find(request.name(), version);
  response.set_ready(loaded || loaded.error().reason() == kEvictedReason);
  if (loaded && (*loaded)->pipeline) {
    const auto find = [&door](const std::string& model) { return door.repository.find(model); };
    response.set_ready((*loaded)->pipeline->ready(find).has_value());
  }
  return {};
}

void server_metadata(Door& door, pb::ServerMetadataResponse& response) {
  response.set_name("holdfast-serve");
  response.set_version(door.options.version);
  for (const std::string_view name : kExtensions) response.add_extensions(std::string(name));
}

Task<Result<void>> model_metadata(Door& door, const pb::ModelMetadataRequest& request,
                                  pb::ModelMetadataResponse& response) {
  CO_TRY(const LoadedPtr loaded, co_await model_of(door, request));
  response.set_name(loaded->name);
  for (const int64_t version : door.repository.versions(loaded->name))
    response.add_versions(std::to_string(version));
  response.set_platform(std::string(loaded->model->platform()));
  for (const auto& info : loaded->model->signature().inputs) describe(info, *response.add_inputs());
  for (const auto& info : loaded->model->signature().outputs)
    describe(info, *response.add_outputs());
  (*response.mutable_properties())["model_digest"] = loaded->digest;
  if (!loaded->run.empty()) (*response.mutable_properties())["model_run"] = loaded->run;
  co_return Result<void>();
}

Task<Result<void>> model_config(Door& door, const pb::ModelConfigRequest& request,
                                pb::ModelConfigResponse& response) {
  CO_TRY(const LoadedPtr loaded, co_await model_of(door, request));
  pb::ModelConfig& config = *response.mutable_config();
  config.set_name(loaded->name);
  const std::string platform(loaded->model->platform());
  config.set_platform(platform);
  config.set_backend(std::string(backend_of(platform)));
  if (loaded->pipeline) configure(loaded->pipeline->spec(), *config.mutable_ensemble_scheduling());
  config.set_default_model_filename("model.onnx");
  for (const auto& info : loaded->model->signature().inputs) configure(info, *config.add_input());
  for (const auto& info : loaded->model->signature().outputs) configure(info, *config.add_output());
  co_return Result<void>();
}

Result<void> model_statistics(Door& door, const pb::ModelStatisticsRequest& request,
                              pb::ModelStatisticsResponse& response) {
  TRY(const int64_t version, parse_version(request.version()));
  for (const Entry& entry : door.repository.list()) {
    if (entry.state != "READY" || (!request.name().empty() && entry.name != request.name()) ||
        (version != 0 && entry.version != version))
      continue;
    // It may have gone since it was listed.
    if (const auto loaded = door.repository.find(entry.name, entry.version))
      report(**loaded, *response.add_model_stats());
  }
  if (response.model_stats().empty() && !request.name().empty())
    return fail(Code::not_found, "there is no loaded model '" + request.name() + "'");
  return {};
}

}  // namespace holdfast::inference::grpc_door
