// The calls that change something: the repository, logging, tracing.
#include "inference/grpc/models.h"
#include "inference/settings.h"

namespace holdfast::inference::grpc_door {

void repository_index(Door& door, const pb::RepositoryIndexRequest& request,
                      pb::RepositoryIndexResponse& response) {
  for (const Entry& entry : door.repository.list()) {
    if (request.ready() && entry.state != "READY") continue;
    auto& row = *response.add_models();
    row.set_name(entry.name);
    row.set_version(std::to_string(entry.version));
    row.set_state(entry.state);
    row.set_reason(entry.reason);
  }
}

Task<Result<void>> load_model(Door& door, const pb::RepositoryModelLoadRequest& request) {
  for (const auto& [key, value] : request.parameters()) {
    const std::string_view file(key);
    if (!file.starts_with("file:")) continue;
    if (!door.options.uploads)
      co_return fail(Code::denied, "sending models in is switched off (uploads)");
    const auto parts = split(file.substr(5), '/');
    const auto version = parts.size() == 2 ? parse_u64(parts[0]) : std::nullopt;
    if (!version || *version > INT64_MAX || parts[1] != "model.onnx" ||
        value.parameter_choice_case() != pb::ModelRepositoryParameter::kBytesParam)
      co_return fail(Code::invalid_argument,
                     "a file parameter is file:<version>/model.onnx with the file's bytes");
    MemorySource source(value.bytes_param());
    CO_TRY_VOID(co_await door.repository.put(request.model_name(), static_cast<int64_t>(*version),
                                             source, door.options.max_model));
    co_return Result<void>();
  }
  CO_TRY_VOID(co_await door.repository.load(request.model_name()));
  co_return Result<void>();
}

Result<void> trace_setting(Door& door, const pb::TraceSettingRequest& request,
                           pb::TraceSettingResponse& response) {
  if (!request.model_name().empty()) TRY_VOID(door.repository.find(request.model_name()));
  const TraceOptions* traces = door.options.tracer ? &door.options.tracer->options() : nullptr;
  for (const auto& [key, value] : request.settings())
    TRY_VOID(change_trace(traces, key, {value.value().begin(), value.value().end()}));
  for (const auto& [key, values] : trace_settings(traces)) {
    auto& setting = (*response.mutable_settings())[key];
    for (const std::string& value : values) setting.add_value(value);
  }
  return {};
}

Result<void> change_log_settings(const pb::LogSettingsRequest& request,
                                 pb::LogSettingsResponse& response) {
  using Value = pb::LogSettingsRequest::SettingValue;
  inference::LogSettings settings = log_settings();
  for (const auto& [key, value] : request.settings()) {
    switch (value.parameter_choice_case()) {
      case Value::kBoolParam:
        TRY_VOID(change_flag(settings, key, value.bool_param()));
        break;
      case Value::kUint32Param:
        TRY_VOID(change_number(settings, key, value.uint32_param()));
        break;
      case Value::kStringParam:
        TRY_VOID(change_text(key, value.string_param()));
        break;
      case Value::PARAMETER_CHOICE_NOT_SET:
        return fail(Code::invalid_argument, "the log setting '" + key + "' has no value");
    }
  }
  if (!request.settings().empty()) TRY_VOID(set_log_settings(settings));
  const inference::LogSettings now = log_settings();
  auto& out = *response.mutable_settings();
  out["log_file"].set_string_param("");
  out["log_info"].set_bool_param(now.info);
  out["log_warning"].set_bool_param(now.warning);
  out["log_error"].set_bool_param(now.error);
  out["log_verbose_level"].set_uint32_param(now.verbose);
  out["log_format"].set_string_param(std::string(kLogFormat));
  return {};
}

}  // namespace holdfast::inference::grpc_door
