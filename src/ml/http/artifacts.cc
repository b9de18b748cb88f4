// The artifacts' proxy, and what clients ask a server about itself.
#include "ml/http/wire.h"
#include "store/objects/content_body.h"

namespace holdfast::ml {
namespace {

// The version whose calls these are.
constexpr const char* kVersion = "3.17.2";

std::string path_of(const Call& call) {
  return std::string(call.request.param("path"));
}

// A run's token reaches what is below its run's artifacts, and its own logged models.
Task<Result<void>> may_write(Call call, std::string path) {
  if (call.caller.writes()) co_return Result<void>();
  CO_TRY(const Run run, co_await call.ml.tracking->run(call.caller.run()));
  if (path.starts_with(run.artifact_root() + "/")) co_return Result<void>();
  const std::string models = std::to_string(run.experiment) + "/models/";
  if (path.starts_with(models)) {
    const std::string id =
        path.substr(models.size(), path.find('/', models.size()) - models.size());
    const auto model = co_await call.ml.logged_models->model(id);
    if (model && model->run == run.id) co_return Result<void>();
  }
  co_return fail(Code::denied, "this token is for the artifacts of the run " + run.id + " alone");
}

Answer download(Call call) {
  CO_TRY(const blob::OpenBlob found, co_await call.ml.artifacts->open_file(path_of(call)));
  http::Response response(200);
  response.header("Content-Type", "application/octet-stream");
  response.header("X-Content-Type-Options", "nosniff");
  CO_TRY_VOID(store::set_body(response, found.content, 0, found.info.size));
  co_return response;
}

// What a registered version is never changes.
Task<Result<void>> is_free(Call call, std::string path) {
  CO_TRY(const auto holder, co_await call.ml.models->holder(std::move(path)));
  if (!holder) co_return Result<void>();
  co_return fail(Code::conflict, "registered",
                 "these files are version " + std::to_string(holder->second) + " of the model '" +
                     holder->first + "': delete that version first");
}

Answer upload(Call call) {
  CO_TRY(std::string path, artifact_path(path_of(call)));
  CO_TRY_VOID(co_await may_write(call, path));
  CO_TRY_VOID(co_await is_free(call, path));
  CO_TRY_VOID(co_await call.ml.artifacts->put(std::move(path), *call.request.body,
                                              call.request.content_length));
  co_return answer();
}

Answer remove(Call call) {
  CO_TRY(std::string path, artifact_path(path_of(call)));
  CO_TRY_VOID(co_await is_free(call, path));
  CO_TRY_VOID(co_await call.ml.artifacts->remove(std::move(path)));
  co_return answer();
}

json::array files_json(const std::vector<ArtifactEntry>& entries, const std::string& before) {
  json::array out;
  for (const ArtifactEntry& entry : entries) {
    json::object row;
    row["path"] = before + entry.name;
    row["is_dir"] = entry.directory;
    if (!entry.directory) row["file_size"] = entry.size;
    out.push_back(std::move(row));
  }
  return out;
}

Answer list(Call call) {
  CO_TRY(const std::string path, call.args.text_or("path"));
  CO_TRY(const auto entries, co_await call.ml.artifacts->list(path));
  json::object out;
  if (!entries.empty()) out["files"] = files_json(entries, "");
  co_return answer(std::move(out));
}

// What is at `given` below a run's or model's root, with names relative to that root.
Answer list_below(Call call, std::string root, std::string given) {
  CO_TRY(const std::string path, artifact_path(given));
  const std::string at = path.empty() ? root : root + "/" + path;
  CO_TRY(const auto entries, co_await call.ml.artifacts->list(at));
  json::object out;
  out["root_uri"] = artifact_uri(root);
  if (!entries.empty()) out["files"] = files_json(entries, path.empty() ? "" : path + "/");
  co_return answer(std::move(out));
}

Answer list_of_run(Call call) {
  const bool old_name = !call.args.has("run_id") && call.args.has("run_uuid");
  CO_TRY(const std::string id, call.args.text(old_name ? "run_uuid" : "run_id"));
  CO_TRY(std::string path, call.args.text_or("path"));
  CO_TRY(const Run run, co_await call.ml.tracking->run(id));
  co_return co_await list_below(call, run.artifact_root(), std::move(path));
}

Answer list_of_model(Call call) {
  CO_TRY(std::string path, call.args.text_or("artifact_directory_path"));
  CO_TRY(const LoggedModel model,
         co_await call.ml.logged_models->model(std::string(call.request.param("model_id"))));
  co_return co_await list_below(call, model.artifact_root(), std::move(path));
}

http::Handler says(std::string type, std::string text) {
  return [type = std::move(type), text = std::move(text)](http::Request&) -> Answer {
    co_return http::Response(200, type, text);
  };
}

}  // namespace

void add_artifacts(Routes& routes) {
  routes.add("GET", "/mlflow-artifacts/artifacts", Need::read, list);
  routes.add_stream("GET", "/mlflow-artifacts/artifacts/{path...}", Need::read, download);
  routes.add_stream("PUT", "/mlflow-artifacts/artifacts/{path...}", Need::run, upload);
  routes.add_stream("DELETE", "/mlflow-artifacts/artifacts/{path...}", Need::write, remove);
  routes.add("GET", "/mlflow/artifacts/list", Need::read, list_of_run);
  routes.add("GET", "/mlflow/logged-models/{model_id}/artifacts/directories", Need::read,
             list_of_model);
}

void mount(http::Router& router, MlParts parts, http::Authenticator authenticator) {
  // Bodies of JSON are held to their own, smaller limits as they are read.
  router.limit_bodies("/api/2.0/mlflow", 24 << 20);
  router.limit_bodies("/ajax-api/2.0/mlflow", 24 << 20);
  for (const char* path : {"/api/2.0/mlflow-artifacts", "/ajax-api/2.0/mlflow-artifacts"})
    router.limit_bodies(path, kArtifactBytes);
  const http::Handler about = says(
      "application/json",
      R"({"store_type":"SqlStore","workspaces_enabled":false,"trace_archival_enabled":false,)"
      R"("multipart_uploads_enabled":false,"multipart_downloads_enabled":false,)"
      R"("presigned_upload_run_id_supported":false,"presigned_upload_model_id_supported":false,)"
      R"("features_enabled":{"gateway":false}})");
  for (const char* prefix : {"/api", "/ajax-api"})
    router.add("GET", std::string(prefix) + "/3.0/mlflow/server-info", http::Role::anonymous,
               ml_error, about);
  router.add("GET", "/health", http::Role::anonymous, says("text/plain; charset=utf-8", "OK"));
  router.add("GET", "/version", http::Role::anonymous, says("text/plain; charset=utf-8", kVersion));
  Routes routes(router, parts, std::move(authenticator));
  add_experiments(routes);
  add_runs(routes);
  add_logged_models(routes);
  add_registry(routes);
  add_artifacts(routes);
  for (const char* rest :
       {"2.0/mlflow/{rest...}", "2.0/mlflow-artifacts/{rest...}", "3.0/mlflow/{rest...}"})
    routes.add_rest(rest);
}

}  // namespace holdfast::ml
