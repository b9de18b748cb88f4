// The Docker Engine API, as Docker and podman (`podman system service`) speak it.
// Source: Docker Engine API v1.41; labels as Azure/iotedge sets them (CreateCommand).
#pragma once

#include "modules/engine.h"
#include "net/http/client.h"

namespace holdfast::modules {

struct DockerOptions {
  std::string endpoint = "unix:///var/run/docker.sock";  // or http://HOST:PORT
  std::string device;                                    // containers of other devices are not ours
  std::vector<std::string> binds;  // "HOST:CONTAINER:ro" of every container, besides its own
};

class DockerEngine final : public ContainerEngine {
 public:
  // invalid_argument: the endpoint is neither. Nothing is asked yet.
  static Result<std::unique_ptr<DockerEngine>> open(DockerOptions options);

  // {"ApiVersion", "Os", "Arch", …}
  Task<Result<boost::json::object>> version();
  Task<Result<bool>> has_image(std::string reference);
  Task<Result<void>> pull(std::string reference, RegistryCredential credential);
  Task<Result<void>> load(http::FileRange tar);  // what `docker save` writes

  Task<Result<void>> prepare(ContainerSpec spec) override;
  Task<Result<void>> create(ContainerSpec spec) override;
  Task<Result<void>> start(std::string name) override;
  Task<Result<void>> stop(std::string name, std::chrono::seconds grace) override;
  Task<Result<void>> remove(std::string name) override;
  Task<Result<std::vector<Actual>>> list() override;
  Task<Result<std::string>> logs(std::string name, unsigned lines) override;

 private:
  explicit DockerEngine(DockerOptions options, std::string base, http::ClientOptions client);
  // The answer's body where its status is `wanted` or `also`; else the engine's own message.
  Task<Result<std::string>> call(http::ClientRequest request, unsigned wanted, unsigned also = 0);
  http::ClientRequest request(std::string method, std::string path) const;
  DockerOptions options_;
  std::string base_;
  http::Client client_;
};

// The body of POST /containers/create: the create options with image, variables and labels put in.
// The module's own Env, Labels and HostConfig.Binds of the options stay, ours win.
boost::json::object create_body(const ContainerSpec& spec, const DockerOptions& engine);
// The text of GET /containers/{id}/logs: frames of [stream, 0, 0, 0, size (4, big endian)] without
// a terminal, plain with one.
std::string unframed(std::string_view bytes);

}  // namespace holdfast::modules
