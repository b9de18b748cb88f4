// The seam to the server that answers with the models: holdfast-serve over HTTP, or a fake.
#pragma once

#include <boost/json/object.hpp>

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "net/http/client.h"

namespace holdfast::modules {

struct Served {
  std::string name;
  int64_t version = 0;
  std::string digest;  // "sha256:…" of model.onnx; empty where it is not loaded
  bool ready = false, current = false;
  bool on_trial = false;  // beside the current one
  std::string reason;     // where it is not ready
};

// Any thread may call. Common failures: unavailable, timed_out.
class ModelServer {
 public:
  struct Put {
    bool beside = false;  // another version that answers goes on doing so
    std::string run;      // of the training that made it; empty: nobody says
  };
  virtual ~ModelServer() = default;
  virtual Task<Result<std::vector<Served>>> list() = 0;
  // Durable, loaded and warm when it returns; the digest of what it took. conflict: the version is
  // there with other bytes; invalid_argument: not a model.
  virtual Task<Result<std::string>> put(std::string name, int64_t version, http::FileRange onnx,
                                        Put how) = 0;
  // What live requests of this version are compared with (profile.json), in place of another.
  // not_found; invalid_argument: it is none of this model.
  virtual Task<Result<void>> set_profile(std::string name, int64_t version,
                                         std::string profile) = 0;
  // Loads where need be and lets it answer in place of the present one. not_found.
  virtual Task<Result<void>> activate(std::string name, int64_t version) = 0;
  // Tries the version beside the one that answers, in place of a trial that runs. conflict: it is
  // held, or nothing else answers; invalid_argument: the canary's fields.
  virtual Task<Result<void>> try_out(std::string name, int64_t version,
                                     boost::json::object canary) = 0;
  virtual Task<Result<void>> unload(std::string name) = 0;  // not_found
  virtual Task<Result<void>> remove(std::string name) = 0;  // success where there is none
};

class HttpModelServer final : public ModelServer {
 public:
  // `url`: "http://127.0.0.1:8000". `client` must outlive it.
  HttpModelServer(http::Client& client, std::string url)
      : client_(client), url_(std::move(url) + "/") {}
  Task<Result<std::vector<Served>>> list() override;
  Task<Result<std::string>> put(std::string name, int64_t version, http::FileRange onnx,
                                Put how) override;
  Task<Result<void>> set_profile(std::string name, int64_t version, std::string profile) override;
  Task<Result<void>> activate(std::string name, int64_t version) override;
  Task<Result<void>> try_out(std::string name, int64_t version,
                             boost::json::object canary) override;
  Task<Result<void>> unload(std::string name) override;
  Task<Result<void>> remove(std::string name) override;

 private:
  Task<Result<std::string>> call(http::ClientRequest request);
  Task<Result<void>> mark_trials(std::vector<Served>& served);
  http::Client& client_;
  std::string url_;
};

// A complete one in memory: a model is a file whose text begins "onnx", a profile one "profile".
class MemoryModelServer final : public ModelServer {
 public:
  Task<Result<std::vector<Served>>> list() override;
  Task<Result<std::string>> put(std::string name, int64_t version, http::FileRange onnx,
                                Put how) override;
  Task<Result<void>> set_profile(std::string name, int64_t version, std::string profile) override;
  Task<Result<void>> activate(std::string name, int64_t version) override;
  Task<Result<void>> try_out(std::string name, int64_t version,
                             boost::json::object canary) override;
  Task<Result<void>> unload(std::string name) override;
  Task<Result<void>> remove(std::string name) override;
  void set_away(bool away);  // every call fails with unavailable
  void end_trial(const std::string& name, bool promoted);
  boost::json::object canary(const std::string& name) const;  // of the running trial
  std::string profile(const std::string& name, int64_t version) const;
  std::string run(const std::string& name, int64_t version) const;

 private:
  struct Model {
    std::map<int64_t, std::string> versions;  // to digests
    std::map<int64_t, std::string> profiles, runs;
    int64_t current = 0;         // 0: unloaded
    int64_t tried = 0;           // 0: no trial runs
    boost::json::object canary;  // of the trial
    std::string refused;         // why the last trial's version is
    int64_t refused_version = 0;
  };
  Result<void> here() const;
  mutable std::mutex mutex_;
  std::map<std::string, Model> models_;
  bool away_ = false;
};

}  // namespace holdfast::modules
