// The calls about models and the server, as plain functions of their messages.
#pragma once

#include "inference/grpc/door.h"

namespace holdfast::inference::grpc_door {

// not_found, unavailable and invalid_argument as Repository::acquire() and parse_version() say.
Result<void> model_ready(Door& door, const pb::ModelReadyRequest& request,
                         pb::ModelReadyResponse& response);
void server_metadata(Door& door, pb::ServerMetadataResponse& response);
Task<Result<void>> model_metadata(Door& door, const pb::ModelMetadataRequest& request,
                                  pb::ModelMetadataResponse& response);
Task<Result<void>> model_config(Door& door, const pb::ModelConfigRequest& request,
                                pb::ModelConfigResponse& response);
Result<void> model_statistics(Door& door, const pb::ModelStatisticsRequest& request,
                              pb::ModelStatisticsResponse& response);

void repository_index(Door& door, const pb::RepositoryIndexRequest& request,
                      pb::RepositoryIndexResponse& response);
// From disk, or with the file that the request carries as file:<version>/model.onnx.
Task<Result<void>> load_model(Door& door, const pb::RepositoryModelLoadRequest& request);

// Both change nothing where one of the settings is refused.
Result<void> trace_setting(Door& door, const pb::TraceSettingRequest& request,
                           pb::TraceSettingResponse& response);
Result<void> change_log_settings(const pb::LogSettingsRequest& request,
                                 pb::LogSettingsResponse& response);

}  // namespace holdfast::inference::grpc_door
