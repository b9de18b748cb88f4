#include "cli/up.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <thread>

#include "base/files.h"
#include "cli/answer.h"
#include "cli/provision.h"
#include "net/http/address.h"
#include "net/runtime.h"
#include "supervisor/supervisor.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;
using supervisor::Program;
using supervisor::Supervisor;
using namespace std::chrono_literals;

constexpr auto kReadyWithin = 30s;

std::string up_file(const Globals& globals) {
  return globals.data + "/up.json";
}

// Port 0 becomes a free one here, because a restarted daemon must come back at the same address.
Result<std::string> settled(const std::string& address) {
  TRY(const auto at, http::parse_host_port(address));
  if (at.port != 0) return address;
  const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  socklen_t size = sizeof name;
  if (::inet_pton(AF_INET, at.host.c_str(), &name.sin_addr) != 1 ||
      ::bind(fd.get(), reinterpret_cast<sockaddr*>(&name), size) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&name), &size) != 0) {
    return fail(Code::invalid_argument, "no free port for " + address);
  }
  return at.host + ":" + std::to_string(ntohs(name.sin_port));
}

Result<json::object> read_json(const std::string& path) {
  TRY(const std::string text, read_file(path, 64 << 10));
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  if (error || !value.is_object()) return fail(Code::internal, path + " is not JSON");
  return value.as_object();
}

// Waits for the daemon's run file of its present process; the log tells why it ended where it did.
Result<json::object> wait_ready(const Supervisor& daemon, const std::string& data,
                                const std::string& log, const char* name) {
  const auto until = std::chrono::steady_clock::now() + kReadyWithin;
  while (std::chrono::steady_clock::now() < until) {
    const auto status = daemon.status();
    auto run = read_json(data + "/run.json");
    if (run && status.pid != 0 && pid_of(*run).value_or(0) == status.pid) return *run;
    if (status.restarts > 2 || status.state == supervisor::State::failed) {
      auto text = read_file(log, 64 << 20).value_or("");
      while (text.ends_with('\n')) text.pop_back();
      return fail(Code::conflict, std::string("the ") + name +
                                      " does not start: " + text.substr(text.rfind('\n') + 1));
    }
    std::this_thread::sleep_for(10ms);
  }
  return fail(Code::timed_out,
              std::string("the ") + name + " was not ready within 30 s; its log is " + log);
}

// The inference server that the edge keeps running, until it answers at the edge's address for it.
Result<void> wait_serve(const Globals& globals, const json::object& edge) {
  const std::string folder = globals.data + "/edge/serve";
  if (::access(folder.c_str(), F_OK) != 0) return {};  // none, or not the edge's own
  const auto until = std::chrono::steady_clock::now() + kReadyWithin;
  while (std::chrono::steady_clock::now() < until) {
    const auto run = read_json(folder + "/run.json");
    if (run && cell(*run, "http", false) == cell(edge, "serve", false) && pid_of(*run) &&
        ::kill(*pid_of(*run), 0) == 0)
      return {};
    std::this_thread::sleep_for(5ms);
  }
  return fail(Code::timed_out, "the inference server was not ready within 30 s; its log is " +
                                   globals.data + "/log/edge.log");
}

Program program(const Globals& globals, const std::string& path, std::vector<std::string> arguments,
                const std::string& name) {
  Program out;
  out.name = name;
  out.command = {path};
  out.command.insert(out.command.end(), arguments.begin(), arguments.end());
  out.log_file = globals.data + "/log/" + name + ".log";
  return out;
}

Result<void> write_once(const std::string& path, const std::string& text) {
  if (::access(path.c_str(), F_OK) == 0) return {};
  return replace_file(path, as_bytes(text), 0640);
}

void tell(const Globals& globals, const json::object& hub, const json::object& edge) {
  if (globals.quiet) return;
  const auto text = [](const json::object& object, const char* key) {
    return cell(object, key, false);
  };
  std::printf(
      "Holdfast is up.\n"
      "  hub           http://%s   (token in %s/hub/token)\n"
      "  blob storage  http://%s/site1\n"
      "  devices       mqtts://%s   (trust %s/hub/pki/ca.crt)\n"
      "  edge          http://%s\n"
      "  inference     http://%s\n"
      "  shares        %s/edge/shares\n\n"
      "Next:\n"
      "  holdfast status --data %s\n"
      "  holdfast model create NAME --file model.onnx --data %s\n"
      "  edit %s/edge.yaml to add shares and transforms, then: holdfast down && holdfast up\n",
      text(hub, "http").c_str(), globals.data.c_str(), text(hub, "blob").c_str(),
      text(hub, "mqtt").c_str(), globals.data.c_str(), text(edge, "http").c_str(),
      text(edge, "serve").c_str(), globals.data.c_str(), globals.data.c_str(), globals.data.c_str(),
      globals.data.c_str());
  std::fflush(stdout);
}

Result<void> supervise(const Globals& globals, UpOptions options) {
  if (auto other = read_json(up_file(globals));
      other && pid_of(*other) && ::kill(*pid_of(*other), 0) == 0 && *pid_of(*other) != ::getpid()) {
    return fail(Code::conflict, "Holdfast is up already with this data (pid " +
                                    json::serialize(other->at("pid")) +
                                    "); 'holdfast down' stops it");
  }
  TRY(options.hub_http, settled(options.hub_http));
  TRY(options.hub_blob, settled(options.hub_blob));
  TRY(options.hub_https, settled(options.hub_https));
  TRY(options.hub_mqtt, settled(options.hub_mqtt));
  TRY(options.edge_http, settled(options.edge_http));
  TRY(options.edge_mqtt, settled(options.edge_mqtt));
  TRY(options.serve_http, settled(options.serve_http));
  TRY_VOID(make_directories(globals.data + "/log", 0750));
  TRY_VOID(write_once(globals.data + "/hub.yaml", default_hub_yaml(globals.data, options)));
  TRY_VOID(write_once(globals.data + "/edge.yaml", default_edge_yaml(globals.data, options)));
  TRY(const std::string hub_program, supervisor::program_beside("holdfast-hub"));
  TRY(const std::string edge_program, supervisor::program_beside("holdfast-edge"));

  Supervisor hub(program(globals, hub_program, {"--config", globals.data + "/hub.yaml"}, "hub"));
  TRY_VOID(hub.start());
  TRY(const json::object hub_run,
      wait_ready(hub, globals.data + "/hub", globals.data + "/log/hub.log", "hub"));
  TRY_VOID(run_task(provision_edge(globals)));
  Supervisor edge(
      program(globals, edge_program, {"--config", globals.data + "/edge.yaml"}, "edge"));
  TRY_VOID(edge.start());
  TRY(const json::object edge_run,
      wait_ready(edge, globals.data + "/edge", globals.data + "/log/edge.log", "edge"));
  TRY_VOID(wait_serve(globals, edge_run));

  json::object up;
  up["pid"] = ::getpid();
  up["hub"] = cell(hub_run, "http", false);
  up["blob"] = cell(hub_run, "blob", false);
  up["edge"] = cell(edge_run, "http", false);
  up["serve"] = cell(edge_run, "serve", false);
  TRY_VOID(replace_file(up_file(globals), as_bytes(json::serialize(up) + "\n"), 0600));
  if (!options.detach) tell(globals, hub_run, edge_run);
  Runtime runtime(1);
  runtime.wait();
  edge.stop();
  hub.stop();
  ::unlink(up_file(globals).c_str());
  return {};
}

int report(const Result<void>& done) {
  if (done) return kDone;
  std::fprintf(stderr, "holdfast up: %s\n", done.error().message().c_str());
  return exit_code_of(done.error());
}

}  // namespace

std::string default_hub_yaml(const std::string& data, const UpOptions& options) {
  return "# The hub of `holdfast up`. Checked by: holdfast check --config hub.yaml\n"
         "domain: holdfast.internal\ndata: " +
         data + "/hub\nlisten:\n  http: " + options.hub_http + "\n  blob: " + options.hub_blob +
         "\n  https: " + options.hub_https + "\n  mqtt: " + options.hub_mqtt + "\n";
}

std::string default_edge_yaml(const std::string& data, const UpOptions& options) {
  return "# The edge of `holdfast up`. Every key: schemas/edge.schema.json\n"
         "device: " +
         std::string(kThisDevice) + "\ndata: " + data + "/edge\nlisten: {http: \"" +
         options.edge_http + "\", mqtt: \"" + options.edge_mqtt +
         "\"}\n"
         "accounts:\n  - {name: site1, endpoint: \"http://" +
         options.hub_blob + "/site1\", key: \"file:" + data +
         "/edge/secrets/site1.key\"}\n"
         "hub:                              # whose device this is\n  http: \"http://" +
         options.hub_http + "\"\n  mqtt: \"" + options.hub_mqtt + "\"\n  ca: \"file:" + data +
         "/hub/pki/ca.crt\"\n  key: \"file:" + data +
         "/edge/secrets/device.key\"\n"
         "shares:\n"
         "  - {name: camera, kind: local, path: camera, quiet: 500ms}\n"
         "  - {name: ready, kind: cloud, account: site1, container: ready, path: ready}\n"
         "  - {name: answers, kind: cloud, account: site1, container: answers, path: answers}\n"
         "# containers: {socket: /run/podman/podman.sock}   # for modules; or processes: true\n"
         "# transforms:                     # what is made of the files of a local share\n"
         "#   - {name: digits, share: camera, recipe: digits.yaml, to: ready, batch: {rows: 256, "
         "after: 10s}}\n"
         "# answers:                        # which model answers them\n"
         "#   - {name: digits, transform: digits, model: digits, to: answers, lines: 1000, after: "
         "10s}\n"
         "serve: {listen: \"" +
         options.serve_http + "\", managed: true}\n";
}

int run_up(const Globals& globals, UpOptions options) {
  if (!options.detach) return report(supervise(globals, options));
  // The child says how its start went through the pipe, and then lives on alone.
  int ends[2];
  if (::pipe(ends) != 0) return kFailed;
  const pid_t child = ::fork();
  if (child < 0) return kFailed;
  if (child == 0) {
    ::close(ends[0]);
    ::setsid();
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, STDIN_FILENO);
    ::dup2(null, STDOUT_FILENO);
    ::_exit(report(supervise(globals, options)));
  }
  ::close(ends[1]);
  for (;;) {
    auto up = read_json(up_file(globals));
    if (up && pid_of(*up).value_or(0) == child) {
      auto hub = read_json(globals.data + "/hub/run.json"),
           edge = read_json(globals.data + "/edge/run.json");
      if (hub && edge) tell(globals, *hub, *edge);
      return kDone;
    }
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child) {
      char text[4096];
      for (ssize_t n; (n = ::read(ends[0], text, sizeof text)) > 0;)
        std::fwrite(text, 1, static_cast<size_t>(n), stderr);
      return WIFEXITED(status) ? WEXITSTATUS(status) : kFailed;
    }
    std::this_thread::sleep_for(20ms);
  }
}

Result<void> run_down(const Globals& globals) {
  auto up = read_json(up_file(globals));
  if (!up) return fail(Code::not_found, "nothing is up with the data in " + globals.data);
  TRY(const pid_t pid, pid_of(*up));
  // A stale file may name a process that is somebody else's by now.
  const auto name = read_file("/proc/" + std::to_string(pid) + "/comm", 64);
  if (!name || !name->starts_with("holdfast")) {
    ::unlink(up_file(globals).c_str());
    return fail(Code::not_found,
                "nothing is up with the data in " + globals.data + " (a stale file was removed)");
  }
  if (::kill(pid, SIGTERM) != 0)
    return std::unexpected(errno_error(errno, "stop pid " + std::to_string(pid)));
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(globals.timeout);
  while (::kill(pid, 0) == 0 && std::chrono::steady_clock::now() < until) {
    const auto state = read_file("/proc/" + std::to_string(pid) + "/stat", 4096).value_or("");
    if (state.find(") Z ") != std::string::npos) return {};
    std::this_thread::sleep_for(20ms);
  }
  if (::kill(pid, 0) == 0)
    return fail(Code::timed_out, "pid " + std::to_string(pid) + " is still stopping");
  return {};
}

}  // namespace holdfast::cli
