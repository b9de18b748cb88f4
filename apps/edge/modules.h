// What the modules of this device run in, and what they find their broker by.
#pragma once

#include <memory>

#include "config.h"
#include "identity/authority.h"
#include "modules/docker/docker_engine.h"
#include "modules/process_engine.h"
#include "modules/reconciler.h"

namespace holdfast {

// Any thread may call.
class ModuleHosts {
 public:
  // Makes <data>/pki and <data>/secrets/modules.key where they are not there. `pool` and `clock`
  // must outlive it. `hub`: the hub's name, as modules sign for it.
  static Result<std::unique_ptr<ModuleHosts>> open(const EdgeConfig& config, std::string hub,
                                                   BlockingPool& pool, const Clock& clock);

  // The key (base64) by which a module and the broker know each other: derived from a secret that
  // stays on this device, so that modules start while the hub is away.
  std::string key(const std::string& module) const;
  // EdgeHubConnectionString and EdgeModuleCACertificateFile, as the device SDKs read them.
  modules::Pairs environment(const std::string& module) const;
  Task<Result<modules::Pairs>> environment_task(std::string module) const;
  // The TLS of the broker's door.
  Result<std::shared_ptr<TlsContext>> tls() const;
  // Engines, environment and their digest.
  void give(modules::ReconcilerParts& parts);

 private:
  ModuleHosts(const EdgeConfig& config, std::string hub)
      : device_(config.device),
        hostname_(config.hostname),
        hub_(std::move(hub)),
        ca_file_(config.data + "/pki/ca.crt") {}
  std::string device_, hostname_, hub_, ca_file_;
  std::string secret_;
  std::unique_ptr<identity::Authority> authority_;
  std::unique_ptr<modules::DockerEngine> containers_;
  std::unique_ptr<modules::ProcessEngine> processes_;
};

}  // namespace holdfast
