#include "serve.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <filesystem>
#include <thread>

#include "base/files.h"
#include "base/log.h"
#include "inference_client/local_client.h"
#include "net/http/address.h"

namespace holdfast {
namespace {

Result<sockaddr_in> socket_address(const std::string& listen) {
  TRY(const http::HostPort at, http::parse_host_port(listen));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(at.port);
  const std::string host = at.host == "localhost" ? "127.0.0.1" : at.host;
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
    return fail(Code::invalid_argument,
                "serve.listen: " + listen + " is not an IPv4 address and port");
  return address;
}

// The port that was bound for a moment, 0 asked for any. unavailable: taken.
Result<uint16_t> try_port(sockaddr_in address) {
  const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int one = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (!fd || bind(fd.get(), generic, size) != 0 || listen(fd.get(), 1) != 0)
    return fail(Code::unavailable, "the port is taken");
  if (getsockname(fd.get(), generic, &size) != 0)
    return std::unexpected(errno_error(errno, "getsockname"));
  return ntohs(address.sin_port);
}

// Why there can be no local door; empty: there can. A server that can not open its door would not
// start at all.
std::string no_door(const ServeConfig& config) {
  const std::string& path = config.local;
  if (path.size() >= sizeof(sockaddr_un::sun_path)) return "the path is too long for a socket";
  if (path.empty() || !config.managed) return "";
  const std::string folder = std::filesystem::path(path).parent_path();
  if (auto made = make_directories(folder, 0700); !made) return made.error().message();
  if (inference_client::LocalClient::connect(path)) return "another program listens there";
  return "";
}

// Its path; empty where there is none.
std::string local_door(const ServeConfig& config) {
  const std::string why = no_door(config);
  if (why.empty()) return config.local;
  log::warning("serve", "there can be no local door: asked over HTTP alone",
               {{"serve.local", config.local}, {"why", why}});
  return "";
}

}  // namespace

Result<std::unique_ptr<Serve>> Serve::start(const EdgeConfig& config) {
  auto serve = std::make_unique<Serve>();
  if (!config.serve.wanted) return serve;
  serve->address_ = config.serve.listen;
  if (!config.serve.managed) {
    serve->local_ = local_door(config.serve);
    return serve;
  }
  TRY(const sockaddr_in wanted, socket_address(config.serve.listen));
  Result<uint16_t> port = try_port(wanted);
  // A server whose edge was killed dies with it, but not in the same instant.
  for (int tries = 0; !port && tries < 30; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    port = try_port(wanted);
  }
  if (!port) {
    const auto holder = http::port_holder(ntohl(wanted.sin_addr.s_addr), ntohs(wanted.sin_port));
    return fail(Code::conflict, "port_taken",
                "serve.listen: " + config.serve.listen + " is held by " +
                    holder.value_or("another program") +
                    "; stop it, choose another port, or use it with serve: {managed: false}");
  }
  TRY(const http::HostPort at, http::parse_host_port(config.serve.listen));
  serve->address_ = at.host + ":" + std::to_string(*port);
  TRY_VOID(make_directories(config.serve.models));
  TRY_VOID(make_directories(config.data + "/serve", 0700));
  serve->local_ = local_door(config.serve);  // a dying predecessor has left it by now
  supervisor::Program program;
  program.name = "serve";
  TRY(std::string path, supervisor::program_beside("holdfast-serve"));
  program.command = {std::move(path),     "--listen", serve->address_,        "--models",
                     config.serve.models, "--data",   config.data + "/serve", "--grpc",
                     config.serve.grpc,   "--local",  serve->local_,          "--device",
                     config.device};
  if (!config.serve.config.empty()) {
    program.command.emplace_back("--config");
    program.command.push_back(config.serve.config);
  }
  serve->supervisor_ = std::make_unique<supervisor::Supervisor>(std::move(program));
  TRY_VOID(serve->supervisor_->start());
  log::info("serve", "started", {{"http", serve->address_}});
  return serve;
}

void Serve::stop() {
  if (supervisor_) supervisor_->stop();
}

supervisor::Status Serve::status() const {
  return supervisor_ ? supervisor_->status() : supervisor::Status{};
}

}  // namespace holdfast
