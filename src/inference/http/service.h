// holdfast-serve's routes: Open Inference Protocol, Triton's repository extension, Azure ML's
// /score and /swagger.json, our own.
#pragma once

#include "inference/http/body.h"
#include "inference/repository.h"
#include "inference/traces/tracer.h"
#include "net/http/router.h"

namespace holdfast::inference {

class DriftMonitor;

struct ServeOptions {
  std::string version;                       // of the program
  std::string platform;                      // the engine's
  bool uploads = true;                       // whether models may be sent in
  uint64_t max_model = 2ull << 30;           // bytes
  http::Role admin = http::Role::anonymous;  // what changing models needs
  Tracer* tracer = nullptr;                  // null: nothing is traced
  const DriftMonitor* drift = nullptr;       // null: requests are not compared with profiles
  // Of infer requests and /score.
  std::shared_ptr<BodyMemory> bodies = std::make_shared<BodyMemory>();
};

// {"error":"…"} with the protocol's status.
http::Response oip_error(const Error& error, const http::Request& request);

// Everything below must outlive the router. mount() shows the families; each file its routes.
void mount(http::Router& router, Repository& repository, const ServeOptions& options);
void mount_infer(http::Router& router, Repository& repository, const ServeOptions& options);
void mount_models(http::Router& router, Repository& repository, const ServeOptions& options);
void mount_activation(http::Router& router, Repository& repository, const ServeOptions& options);
void mount_life(http::Router& router, Repository& repository, const ServeOptions& options);
void mount_tuning(http::Router& router, Repository& repository, const ServeOptions& options);
void mount_trials(http::Router& router, Repository& repository, const ServeOptions& options);
void mount_drift(http::Router& router, Repository& repository, const ServeOptions& options);
void mount_score(http::Router& router, Repository& repository, const ServeOptions& options);
void mount_openapi(http::Router& router, Repository& repository, const ServeOptions& options);
void mount_statistics(http::Router& router, Repository& repository, const ServeOptions& options);
void mount_control(http::Router& router, Repository& repository, const ServeOptions& options);

// Headers that say which model has answered: its digest, and its run, percent-encoded.
void name_model(const Loaded& loaded, http::Response& response);
// The priority, and the deadline from the parameter `timeout_us` (0: none) and the header
// Holdfast-Timeout-Ms, whichever is earlier, counted from `start`. invalid_argument.
Result<RunOptions> run_options(const http::Request& request, MonoTime start, uint64_t timeout_us,
                               unsigned priority);
// Null where there is no tracer, or this request is not traced; else it ends with the request.
// `route`: a literal.
RequestTrace* begin_trace(Tracer* tracer, http::Request& request, std::string_view route);
// `work`, which notes in the trace what it does, and how it ended.
Task<Result<http::Response>> traced(RequestTrace& trace, Task<Result<http::Response>> work,
                                    const http::Request& request);
// Whom /score asks: the one that ?model= names, else the only one. invalid_argument: there are
// several; not_found: none.
Result<std::string> scored_model(const Repository& repository, const http::Request& request);
// The path's model and version; version nullopt-like 0 where none is named.
Result<LoadedPtr> model_of(Repository& repository, const http::Request& request);
// The same, loading it where it is evicted.
Task<Result<LoadedPtr>> demand_model(Repository& repository, const http::Request& request);

}  // namespace holdfast::inference
