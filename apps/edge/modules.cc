#include "modules.h"

#include <arpa/inet.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/files.h"
#include "device_wire/address.h"

namespace holdfast {
namespace {

bool is_address(const std::string& host) {
  in6_addr out{};
  return inet_pton(AF_INET, host.c_str(), &out) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &out) == 1;
}

Result<std::string> secret_of(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0) {
    const std::string fresh = hex(as_bytes(random_bytes(32)));
    TRY_VOID(replace_file(path, as_bytes(fresh), 0600));
  }
  TRY(std::string secret, read_file(path, 1024));
  if (secret.size() < 64) return fail(Code::internal, path + " holds no secret");
  return secret;
}

}  // namespace

Result<std::unique_ptr<ModuleHosts>> ModuleHosts::open(const EdgeConfig& config, std::string hub,
                                                       BlockingPool& pool, const Clock& clock) {
  std::unique_ptr<ModuleHosts> hosts(new ModuleHosts(config, std::move(hub)));
  for (const char* folder : {"/pki", "/secrets", "/modules"})
    TRY_VOID(make_directories(config.data + folder, 0700));
  TRY(hosts->secret_, secret_of(config.data + "/secrets/modules.key"));
  TRY(hosts->authority_,
      identity::Authority::open(config.data + "/pki", "Holdfast edge " + config.device, clock));
  if (!config.engine.empty()) {
    // The certificate stands in a container where it stands here: one variable serves both.
    modules::DockerOptions options{"unix://" + config.engine, config.device, {}};
    options.binds.push_back(hosts->ca_file_ + ":" + hosts->ca_file_ + ":ro");
    TRY(hosts->containers_, modules::DockerEngine::open(std::move(options)));
  }
  if (config.processes)
    hosts->processes_ =
        std::make_unique<modules::ProcessEngine>(config.data + "/modules", pool, clock);
  return hosts;
}

std::string ModuleHosts::key(const std::string& module) const {
  const std::string said = "module\n" + device_ + "\n" + module;
  return base64(as_bytes(hmac_sha256(as_bytes(secret_), as_bytes(said))));
}

modules::Pairs ModuleHosts::environment(const std::string& module) const {
  device_wire::ConnectionString text;
  text.host = hub_;
  text.address = {device_, module};
  text.key = key(module);
  text.gateway = hostname_;
  return {{"EdgeHubConnectionString", device_wire::format_connection_string(text)},
          {"EdgeModuleCACertificateFile", ca_file_}};
}

Task<Result<modules::Pairs>> ModuleHosts::environment_task(std::string module) const {
  co_return environment(module);
}

Result<std::shared_ptr<TlsContext>> ModuleHosts::tls() const {
  identity::Subject subject;
  subject.common_name = "holdfast-edge";
  (is_address(hostname_) ? subject.addresses : subject.names).push_back(hostname_);
  return authority_->server_tls("broker", subject);
}

void ModuleHosts::give(modules::ReconcilerParts& parts) {
  parts.containers = containers_.get();
  parts.processes = processes_.get();
  parts.environment = [this](std::string module) { return environment_task(std::move(module)); };
  // Another name, secret or authority makes the containers anew.
  std::string all = authority_->certificate_pem();
  for (const auto& [name, value] : environment("")) all += name + "=" + value + "\n";
  parts.surroundings = sha256_hex(as_bytes(all));
}

}  // namespace holdfast
